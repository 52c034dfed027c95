from fastapi import APIRouter

from pilotage.web.backend import Backend


def routes(backend: Backend) -> APIRouter:
    return APIRouter()
