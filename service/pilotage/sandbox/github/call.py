"""One call of the REST API: who asks about which repository, and how answers are cut in pages."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from pilotage.sandbox.github.errors import Refused, not_found
from pilotage.sandbox.github.model import (
    Account,
    App,
    Credential,
    Permission,
    PullRequest,
    Repository,
)
from pilotage.sandbox.github.pulls import require
from pilotage.sandbox.github.state import State

T = TypeVar("T")
_MOST_PER_PAGE = 100


class Body(BaseModel):
    """A request's JSON: wrong types are refused, unknown fields are ignored, as on github.com."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Call:
    """A request with the state it acts on."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.state: State = request.app.state.github
        self.identity: Credential | App = request.scope["identity"]

    @property
    def credential(self) -> Credential:
        """Raises Refused (403) for the JWT of an App, which may only ask for tokens."""
        if isinstance(self.identity, App):
            raise Refused(403, "Resource not accessible by integration")
        return self.identity

    @property
    def by(self) -> Account:
        return self.credential.account

    def page(
        self,
        items: Iterable[T],
        render: Callable[[T], Any],
        wrap: str = "",
        around: dict[str, Any] | None = None,
    ) -> JSONResponse:
        """One page of a list, with GitHub's Link header. `wrap` names the field of lists that
        come inside an object: that of `around`, or one with only their `total_count`."""
        everything = list(items)
        number, size = self._number("page", 1), self._number("per_page", 30)
        size = min(size, _MOST_PER_PAGE)
        last = max(1, -(-len(everything) // size))
        content: Any = [render(item) for item in everything[(number - 1) * size : number * size]]
        if wrap:
            content = (around or {"total_count": len(everything)}) | {wrap: content}
        links: dict[str, int] = {}
        if number > 1:
            links |= {"prev": min(number - 1, last), "first": 1}
        if number < last:
            links |= {"next": number + 1, "last": last}
        header = ", ".join(
            f'<{self._page_url(number)}>; rel="{rel}"' for rel, number in links.items()
        )
        return JSONResponse(content, headers={"link": header} if header else {})

    def _number(self, name: str, default: int) -> int:
        text = self.request.query_params.get(name, "")
        return int(text) if text.isdigit() and int(text) > 0 else default

    def _page_url(self, number: int) -> str:
        query = {**self.request.query_params, "page": str(number)}
        return f"{self.state.base_url}{self.request.url.path}?{urlencode(query)}"


class RepositoryCall(Call):
    """A call below `/repos/{owner}/{repo}`: 404 unless the caller may see it."""

    def __init__(self, request: Request, owner: str, repo: str) -> None:
        super().__init__(request)
        with self.state.lock:
            found = self.state.repositories.get(f"{owner}/{repo}".lower())
            if found is None or not self.state.visible(found, self.credential):
                raise not_found()
        self.repo = found

    def require(self, needed: Permission) -> None:
        require(self.state, self.repo, self.by, needed)

    def pull(self, number: int) -> PullRequest:
        return self.state.pull(self.repo, number)

    def commit_sha(self, revision: str) -> str:
        sha = self.repo.git.resolve(revision)
        if sha is None:
            raise Refused(422, f"No commit found for SHA: {revision}")
        return sha


Asking = Annotated[Call, Depends(Call)]
AskingRepository = Annotated[RepositoryCall, Depends(RepositoryCall)]


class LockedRouter(APIRouter):
    """Each endpoint runs while it holds the state's lock. It takes the `call` by that name."""

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        @functools.wraps(endpoint)
        def locked(**arguments: Any) -> Any:
            call: Call = arguments["call"]
            with call.state.lock:
                return endpoint(**arguments)

        options.setdefault("response_model", None)
        super().add_api_route(path, locked, **options)


__all__ = [
    "Asking",
    "AskingRepository",
    "Body",
    "Call",
    "LockedRouter",
    "Repository",
    "RepositoryCall",
]
