"""Pages for a browser, without JavaScript: see the cluster, sync, refresh, and break things."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException

from pilotage.resources import template_folder
from pilotage.sandbox.argocd.answers import Cd
from pilotage.sandbox.argocd.cluster import Reason
from pilotage.sandbox.argocd.documents import stamp
from pilotage.sandbox.argocd.operation import NothingToTerminateError, OperationInProgressError
from pilotage.sandbox.argocd.render_error import RenderError
from pilotage.sandbox.argocd.stand_in import ArgoCD
from pilotage.sandbox.argocd.state import Application, Json, SyncWindow

router = APIRouter(include_in_schema=False)
_EVERY = 2  # seconds between two loads of a page
_UNREACHABLE = 60.0  # seconds for which the API does not answer
_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'"

# What the switch offers, in the order of the buttons.
FAILURES = {
    Reason.CRASH_LOOP: ("crash loop", "missing env DATABASE_URL"),
    Reason.IMAGE_PULL: ("image pull error", ""),
    Reason.OUT_OF_MEMORY: ("out of memory", ""),
    Reason.SLOW: ("slow start", ""),
    Reason.REFUSED: ("sync refused", "admission webhook denied the request"),
}


@dataclass(frozen=True, slots=True)
class PodView:
    name: str
    images: str
    reason: str
    health: str
    message: str
    restarts: int


@dataclass(frozen=True, slots=True)
class View:
    """One application as a page shows it."""

    name: str
    project: str
    sync: str
    health: str
    since: int  # seconds
    revisions: tuple[str, ...]
    chart_tag: str
    images: tuple[str, ...]
    phase: str
    message: str
    conditions: tuple[str, ...]
    busy: bool
    automated: bool
    window: str
    planned: str
    resources: tuple[Json, ...]
    pods: tuple[PodView, ...]
    history: tuple[Json, ...]
    events: tuple[Json, ...]


def view(argocd: ArgoCD, app: Application) -> View:
    """Taken under the lock."""
    now = argocd.store.clock()
    state = app.operation_state
    planned = argocd.faults.next_deployment.get(app.name)
    return View(
        name=app.name,
        project=app.project,
        sync=str(app.sync.status or "Unknown"),
        health=app.health or "Unknown",
        since=int(now - app.health_since) if app.health_since else 0,
        revisions=app.sync.revisions,
        chart_tag=app.sources[0].target_revision if app.multi else "",
        images=app.images,
        phase=str(state.phase) if state else ("Requested" if app.busy else ""),
        message=state.message if state else "",
        conditions=tuple(f"{one['type']}: {one['message']}" for one in app.conditions),
        busy=app.busy,
        automated=app.policy.automated,
        window=app.window.kind if app.window else "",
        planned=FAILURES.get(planned.reason, (str(planned.reason), ""))[0] if planned else "",
        resources=tuple(app.resources),
        pods=_pods(app, now),
        history=tuple(
            {
                "id": entry.number,
                "revisions": entry.revisions,
                "at": stamp(entry.deployed_at),
                "by": entry.username or "auto-sync",
            }
            for entry in reversed(app.history)
        ),
        events=tuple(reversed(app.events[-15:])),
    )


def _pods(app: Application, now: float) -> tuple[PodView, ...]:
    return tuple(
        PodView(pod.name, pod.images, *pod.status(now), restarts=pod.restarts(now))
        for pod in app.workloads.pods(now)
    )


@router.get("/")
def overview(cd: Cd, still: bool = False) -> Response:
    with cd.store.lock:
        views = [view(cd, app) for _, app in sorted(cd.store.applications.items())]
        faults = cd.faults.document(cd.store.clock())
        errors = tuple(f"{name}: {text}" for name, text in cd.application_sets.errors.items())
    return _page(
        "applications.html.j2",
        applications=views,
        faults=faults,
        errors=errors,
        failures=FAILURES,
        every=0 if still else _EVERY,
    )


@router.get("/applications/argocd/{name}")
@router.get("/applications/{name}")
def application(name: str, cd: Cd, still: bool = False) -> Response:
    with cd.store.lock:
        shown = view(cd, _application(cd, name))
    every = 0 if still else _EVERY
    return _page("application.html.j2", app=shown, failures=FAILURES, every=every)


@router.get("/style.css")
def style() -> Response:
    folder = template_folder() / "sandbox"
    sheets = (folder / "style.css", folder / "argocd" / "argocd.css")
    text = "\n".join(sheet.read_text("utf-8") for sheet in sheets if sheet.exists())
    return Response(text, media_type="text/css")


@router.post("/switch/{part}/{position}")
def switch(part: str, position: str, cd: Cd) -> Response:
    """Parts of Argo CD itself, `off` or `on`; `streams/cut` ends every open stream."""
    actions = {
        ("controller", "off"): cd.stop_controller,
        ("controller", "on"): cd.start_controller,
        ("applicationset", "off"): cd.stop_application_sets,
        ("applicationset", "on"): cd.start_application_sets,
        ("api", "off"): lambda: cd.unreachable(_UNREACHABLE),
        ("api", "on"): lambda: cd.unreachable(0),
        ("streams", "cut"): cd.cut_streams,
    }
    if (part, position) not in actions:
        return _sorry(404, f"There is no switch {part} {position}.", "")
    actions[part, position]()
    return RedirectResponse("/", 303)


@router.post("/applications/{name}/refresh")
def refresh(name: str, cd: Cd) -> Response:
    _application(cd, name)
    cd.refresh(name)
    return _back(name)


@router.post("/applications/{name}/sync")
def sync(name: str, cd: Cd) -> Response:
    _application(cd, name)
    try:
        cd.sync(name, username="browser", prune=True)
    except OperationInProgressError:
        return _sorry(409, f"An operation of {name} is running already.", name)
    except RenderError as error:
        return _sorry(409, f"{name} cannot be synced: {error}", name)
    return _back(name)


@router.post("/applications/{name}/terminate")
def terminate(name: str, cd: Cd) -> Response:
    _application(cd, name)
    try:
        cd.terminate(name)
    except NothingToTerminateError:
        return _sorry(409, f"No operation of {name} is running.", name)
    return _back(name)


@router.post("/applications/{name}/fail/{reason}")
def fail(name: str, reason: str, cd: Cd) -> Response:
    """`works` takes a planned failure back."""
    _application(cd, name)
    if reason == "works":
        with cd.store.lock:
            cd.faults.next_deployment.pop(name, None)
    elif reason in FAILURES:
        cd.fail_next_deployment(name, reason, FAILURES[Reason(reason)][1])
    else:
        return _sorry(404, f"No such failure: {reason}.", name)
    return _back(name)


@router.post("/applications/{name}/window/{kind}")
def window(name: str, kind: str, cd: Cd) -> Response:
    """`deny` shuts the sync window, anything else takes it away."""
    _application(cd, name)
    cd.set_window(name, SyncWindow() if kind == "deny" else None)
    return _back(name)


def _application(cd: ArgoCD, name: str) -> Application:
    app = cd.store.applications.get(name)
    if app is None:
        raise HTTPException(404, f"There is no application {name}.")
    return app


def _back(name: str) -> Response:
    return RedirectResponse(f"/#{name}", 303)


@cache
def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["ago"] = _ago
    return environment


def _ago(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 3600 else f"{seconds // 3600} h"


def _page(template: str, status: int = 200, **values: object) -> Response:
    environment = _environment(template_folder() / "sandbox" / "argocd")
    html = environment.get_template(template).render(**values)
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(html, status, headers)


def _sorry(status: int, message: str, name: str) -> Response:
    return _page("sorry.html.j2", status, message=message, name=name, every=0)
