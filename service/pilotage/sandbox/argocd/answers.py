"""How the API answers: JSON as grpc-gateway writes it, its errors, and who may ask."""

import json
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from pilotage.sandbox.argocd.accounts import Account, UnauthenticatedError
from pilotage.sandbox.argocd.documents import CONTROL_PLANE
from pilotage.sandbox.argocd.stand_in import ArgoCD
from pilotage.sandbox.argocd.state import Application, Json

# gRPC codes and the HTTP status that the gateway makes of them.
_HTTP = {2: 500, 3: 400, 5: 404, 7: 403, 9: 400, 13: 500, 14: 503, 16: 401}


class ApiError(Exception):
    """An error of the API, by its gRPC code."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.status = _HTTP[code]
        self.message = message
        super().__init__(message)


def denied() -> ApiError:
    """What is answered for an Application that may not be seen, and for one that is not there."""
    return ApiError(7, "permission denied")


def ok(body: Any) -> JSONResponse:
    return JSONResponse(body, headers={"Grpc-Metadata-Content-Type": "application/grpc"})


def text(status: int, message: str) -> PlainTextResponse:
    return PlainTextResponse(f"{message}\n", status, headers={"X-Content-Type-Options": "nosniff"})


async def on_api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    body = {"error": error.message, "code": error.code, "message": error.message}
    return JSONResponse(body, error.status)


async def on_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return text(error.status_code, str(error.detail))


def the_argocd(request: Request) -> ArgoCD:
    argocd = request.app.state.argocd
    assert isinstance(argocd, ArgoCD)
    return argocd


def the_account(request: Request) -> Account:
    try:
        return the_argocd(request).accounts.authenticate(request.headers.get("authorization", ""))
    except UnauthenticatedError as error:
        raise ApiError(16, str(error)) from error


Cd = Annotated[ArgoCD, Depends(the_argocd)]
AppNamespace = Annotated[str, Query(alias="appNamespace")]
Caller = Annotated[Account, Depends(the_account)]


def visible(
    argocd: ArgoCD, account: Account, name: str, project: str = "", namespace: str = ""
) -> Application:
    """The Application, if it is there and may be seen. Without a project whatever is wrong is
    403; with one, what is not there is 404. Raises ApiError."""
    app = argocd.store.applications.get(name)
    if namespace not in ("", CONTROL_PLANE):
        app = None
    if project:
        if not account.can("applications", "get", f"{project}/{name}"):
            raise denied()
        if app is None or app.project != project:
            raise ApiError(5, f'applications.argoproj.io "{name}" not found')
    elif app is None or not account.can("applications", "get", f"{app.project}/{name}"):
        raise denied()
    return app


def permitted(
    argocd: ArgoCD, account: Account, action: str, name: str, project: str, namespace: str
) -> Application:
    """A visible Application on which the account may do `action`. Raises ApiError."""
    app = visible(argocd, account, name, project, namespace)
    target = f"{app.project}/{name}"
    if not account.can("applications", action, target):
        raise ApiError(7, account.refusal("applications", action, target))
    return app


def selected(app: Application, selector: str) -> bool:
    """A label selector of equalities, as `a=b,c!=d`. Raises ValueError."""
    for term in filter(None, selector.split(",")):
        key, sign, value = _term(term)
        if (app.labels.get(key) == value) is (sign == "!="):
            return False
    return True


def _term(term: str) -> tuple[str, str, str]:
    for sign in ("!=", "==", "="):
        key, found, value = term.partition(sign)
        if found:
            if "=" in value:
                raise ValueError("found '=', expected: ',' or 'end of string'")
            return key.strip(), sign, value.strip()
    raise ValueError(f"unable to parse requirement: {term!r}")


# What a request of the API may say, and the Go type that is named when it says otherwise.
_FIELDS: dict[str, tuple[type, str]] = {
    "name": (str, "string"),
    "project": (str, "string"),
    "appNamespace": (str, "string"),
    "revision": (str, "string"),
    "dryRun": (bool, "bool"),
    "prune": (bool, "bool"),
    "resources": (list, "[]*v1alpha1.SyncOperationResource"),
    "infos": (list, "[]*v1alpha1.Info"),
    "revisions": (list, "[]string"),
    "sourcePositions": (list, "[]int64"),
    "strategy": (dict, "v1alpha1.SyncStrategy"),
    "retryStrategy": (dict, "v1alpha1.RetryStrategy"),
    "id": (int, "int64"),
}
_KINDS = {str: "string", bool: "bool", list: "array", dict: "object", int: "number",
          float: "number"}  # fmt: skip


async def body_of(request: Request, message: str) -> Json:
    """The JSON object of a request; unknown fields are accepted. Raises ApiError."""
    raw = await request.body()
    try:
        body = json.loads(raw or b"{}")
    except json.JSONDecodeError as error:
        character = error.doc[error.pos : error.pos + 1]
        where = "object key string" if "property name" in error.msg else "value"
        if not character:
            raise ApiError(3, "unexpected EOF") from error
        wrong = f"invalid character '{character}' looking for beginning of {where}"
        raise ApiError(3, wrong) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise ApiError(3, "invalid character in request body") from error
    if not isinstance(body, dict):
        kind = _KINDS.get(type(body), "null")
        raise ApiError(3, f"json: cannot unmarshal {kind} into Go value of type {message}")
    for field, value in body.items():
        wanted, go = _FIELDS.get(field, (object, ""))
        if value is None or (isinstance(value, wanted) and type(value) is not bool):
            continue
        if type(value) is bool and wanted in (bool, object):
            continue
        raise ApiError(
            3,
            f"json: cannot unmarshal {_KINDS[type(value)]} into Go struct field "
            f"{message}.{field} of type {go}",
        )
    return body
