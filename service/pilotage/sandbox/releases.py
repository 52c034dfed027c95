"""A page to be CI: deploy a new version to staging, and choose how it will fare in production."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from semver import Version

from pilotage.core import version
from pilotage.resources import template_folder

if TYPE_CHECKING:
    from pilotage.sandbox.world import World

PATH = "/_sandbox/releases"
_STEPS = ("patch", "minor", "major")


def releases(world: World) -> APIRouter:
    """The page's routes, for `create_app` of the GitHub half."""
    router = APIRouter(include_in_schema=False)

    @router.get(PATH)
    def show(said: str = "") -> Response:
        return _page(world, said[:200])

    @router.post(PATH)
    def release(
        service: Annotated[str, Form()],
        step: Annotated[str, Form()] = "patch",
        broken: Annotated[bool, Form()] = False,
    ) -> Response:
        if service not in world.services or step not in _STEPS:
            return HTMLResponse("there is no such service or step", 400)
        wanted = next_version(world.version(service, "staging"), step)
        if broken:
            world.argocd.fail_next_deployment(
                f"{service}-production",
                message="missing env DATABASE_URL",
                tag=str(number(wanted)),
            )
        world.release({service: wanted})
        fate = "; it will crash in production" if broken else ""
        return RedirectResponse(f"{PATH}?said=CI deploys {service} {wanted}{fate}", 303)

    return router


def _page(world: World, said: str) -> HTMLResponse:
    rows = [
        (name, world.version(name, "staging"), world.version(name, "production"))
        for name in world.services
    ]
    text = _template().render(
        rows=rows,
        steps=_STEPS,
        said=said,
        repository=world.repository.full_name,
        argocd=world.argocd_url,
        service_url=world.service_url,
    )
    return HTMLResponse(text)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(template_folder() / "sandbox"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("releases.html.j2")


def number(value: str) -> Version:
    """`api-v9.1.1` is 9.1.1, the tag of its image too."""
    read = version.read(value, version.Scheme.SEMVER)
    return read.number if isinstance(read, version.Semantic) else Version(0)


def next_version(value: str, step: str) -> str:
    """`api-v9.1.1` and minor is `api-v9.2.0`."""
    found = number(value)
    bumped: Version = found.next_version(step)
    return f"{value.removesuffix(str(found))}{bumped}"
