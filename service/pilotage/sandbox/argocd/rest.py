"""The API's reads: applications, trees, manifests, windows, who may do what."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from pilotage.sandbox.argocd.accounts import UnauthenticatedError
from pilotage.sandbox.argocd.answers import (
    ApiError,
    AppNamespace,
    Caller,
    Cd,
    ok,
    selected,
    the_argocd,
    visible,
)
from pilotage.sandbox.argocd.documents import resource_tree, stamp
from pilotage.sandbox.argocd.git import GitUnavailableError, UnknownRevisionError
from pilotage.sandbox.argocd.managed import managed_resources, manifest_texts
from pilotage.sandbox.argocd.render_error import RenderError
from pilotage.sandbox.argocd.set_documents import application_set_document, project_of
from pilotage.sandbox.argocd.state import Json
from pilotage.sandbox.argocd.stream import Changes, FrameStream, mask

router = APIRouter()
Words = Annotated[list[str] | None, Query()]

# The list's mask knows these fields, exactly; whatever else is asked for is dropped.
_LISTED = (
    "metadata.name", "metadata.namespace", "metadata.annotations", "metadata.labels",
    "metadata.creationTimestamp", "metadata.deletionTimestamp", "spec", "operation",
    "status.sourceHydrator", "status.sync.status", "status.sync.revision", "status.health",
    "status.summary", "status.resources", "status.operationState.startedAt",
    "status.operationState.finishedAt", "status.operationState.phase",
    "status.operationState.operation.sync", "status.operationState.syncResult",
)  # fmt: skip


@router.get("/api/v1/applications")
def list_applications(
    cd: Cd,
    caller: Caller,
    projects: Words = None,
    project: Words = None,
    selector: str = "",
    repo: str = "",
    name: str = "",
    app_namespace: AppNamespace = "",
    fields: str = "",
) -> Response:
    with cd.store.lock:
        try:
            found = [
                cd.store.document(app.name)
                for app in sorted(cd.store.applications.values(), key=lambda app: app.name)
                if caller.can("applications", "get", f"{app.project}/{app.name}")
                and app.project in ((projects or []) + (project or []) or [app.project])
                and selected(app, selector)
                and repo in ("", app.sources[0].repo_url)
                and name in ("", app.name)
                and app_namespace in ("", "argocd")
            ]
        except ValueError as error:
            raise ApiError(2, f"error parsing the selector: {error}") from error
        version = str(cd.store.resource_version)
    if fields:
        wanted = [field.removeprefix("items.") for field in fields.split(",")]
        found = [mask(one, [field for field in wanted if field in _LISTED]) for one in found]
    return ok({"metadata": {"resourceVersion": version}, "items": found or None})


@router.get("/api/v1/applicationsets")
def list_application_sets(cd: Cd, caller: Caller, projects: Words = None) -> Response:
    """Whole ones: this list knows no `fields`. Without rights it is empty, and not null."""
    with cd.store.lock:
        found = [
            application_set_document(definition, uid, children)
            for definition, uid, children in cd.application_sets.all()
            if caller.can("applicationsets", "get", f"{project_of(definition)}/{definition.name}")
            and project_of(definition) in (projects or [project_of(definition)])
        ]
        version = str(cd.store.resource_version)
    return ok({"metadata": {"resourceVersion": version}, "items": found})


@router.get("/api/v1/stream/applications")
def stream_applications(request: Request) -> Response:
    return FrameStream(the_argocd(request), request)


@router.get("/api/v1/applications/{name}")
async def get_application(
    name: str,
    cd: Cd,
    caller: Caller,
    project: str = "",
    app_namespace: AppNamespace = "",
    refresh: str | None = None,
) -> Response:
    app = visible(cd, caller, name, project, app_namespace)
    if refresh is not None:
        with Changes(cd) as changes:
            cd.refresh(name, "hard" if refresh == "hard" else "normal")
            while app.refresh and cd.store.has(app) and not cd.closed:
                await changes.next()
        visible(cd, caller, name, project, app_namespace)
    return ok(cd.document(name))


@router.get("/api/v1/applications/{name}/resource-tree")
def get_resource_tree(
    name: str,
    cd: Cd,
    caller: Caller,
    project: str = "",
    app_namespace: AppNamespace = "",
) -> Response:
    with cd.store.lock:
        app = visible(cd, caller, name, project, app_namespace)
        return ok(resource_tree(app, cd.store.clock()))


@router.get("/api/v1/applications/{name}/managed-resources")
def get_managed_resources(
    name: str,
    cd: Cd,
    caller: Caller,
    project: str = "",
    app_namespace: AppNamespace = "",
) -> Response:
    with cd.store.lock:
        return ok(managed_resources(visible(cd, caller, name, project, app_namespace)))


@router.get("/api/v1/applications/{name}/events")
def get_events(
    name: str,
    cd: Cd,
    caller: Caller,
    project: str = "",
    app_namespace: AppNamespace = "",
) -> Response:
    with cd.store.lock:
        app = visible(cd, caller, name, project, app_namespace)
        version = str(cd.store.resource_version)
        return ok({"metadata": {"resourceVersion": version}, "items": app.events})


@router.get("/api/v1/applications/{name}/syncwindows")
def get_sync_windows(
    name: str,
    cd: Cd,
    caller: Caller,
    project: str = "",
    app_namespace: AppNamespace = "",
) -> Response:
    with cd.store.lock:
        window = visible(cd, caller, name, project, app_namespace).window
    if window is None:
        return ok({"canSync": True})
    shown = {
        "kind": window.kind,
        "schedule": "* * * * *",
        "duration": "1h",
        "manualSync": window.manual_sync,
    }
    may = window.kind == "allow" or window.manual_sync
    return ok({"activeWindows": [shown], "assignedWindows": [shown], "canSync": may})


@router.get("/api/v1/applications/{name}/manifests")
def get_manifests(
    name: str,
    cd: Cd,
    caller: Caller,
    project: str = "",
    app_namespace: AppNamespace = "",
    revision: str = "",
    revisions: Words = None,
    sourcePositions: Words = None,  # noqa: N803
) -> Response:
    with cd.store.lock:
        app = visible(cd, caller, name, project, app_namespace)
        instead = {0: revision} if revision and not app.multi else {}
        if app.multi:
            positions = [int(each) - 1 for each in sourcePositions or () if each.isdecimal()]
            instead = dict(zip(positions, revisions or (), strict=False))
        try:
            with cd.controller.git() as opened:
                shas = cd.controller.resolve(opened, app.sources, instead)
                target = cd.controller.render(opened, app, app.sources, shas)
        except RenderError as error:
            raise ApiError(14 if error.unavailable else 2, str(error)) from error
    return ok({"manifests": manifest_texts(target)})


@router.get("/api/v1/applications/{name}/revisions/{revision}/metadata")
def get_revision_metadata(
    name: str,
    revision: str,
    cd: Cd,
    caller: Caller,
    project: str = "",
    app_namespace: AppNamespace = "",
    sourceIndex: str = "",  # noqa: N803
) -> Response:
    with cd.store.lock:
        app = visible(cd, caller, name, project, app_namespace)
        index = int(sourceIndex) if sourceIndex.isdecimal() else 0
        if revision == "HEAD":
            raise ApiError(2, "revision HEAD must be resolved")
        if index >= len(app.sources):
            raise ApiError(2, f"source index {index} not found")
        try:
            with cd.controller.git() as opened:
                sha = cd.controller.resolve(opened, (app.sources[index],), {0: revision})[0]
                commit = opened.at(app.sources[index].repo_url).commit(sha)
        except RenderError as error:
            raise ApiError(14 if error.unavailable else 2, str(error)) from error
        except (GitUnavailableError, UnknownRevisionError) as error:
            raise ApiError(2, str(error)) from error
    if commit is None:
        raise ApiError(
            2,
            "error acquiring repo lock: failed to initialize repository resources: rpc error: "
            f"code = Internal desc = Failed to checkout revision {sha}: `git fetch origin {sha} "
            "--tags --force --prune` failed exit status 128: fatal: remote error: upload-pack: "
            f"not our ref {sha}",
        )
    return ok({"author": commit.author, "date": stamp(commit.date), "message": commit.message})


@router.get("/api/v1/account/can-i/{resource}/{action}/{subresource:path}")
def can_i(resource: str, action: str, subresource: str, caller: Caller) -> Response:
    return ok({"value": "yes" if caller.can(resource, action, subresource) else "no"})


@router.get("/api/v1/session/userinfo")
def userinfo(request: Request, cd: Cd) -> Response:
    try:
        account = cd.accounts.authenticate(request.headers.get("authorization", ""))
    except UnauthenticatedError:
        return ok({})
    return ok({"loggedIn": True, "username": account.name, "iss": "argocd"})


@router.get("/api/version")
def version(request: Request, cd: Cd) -> Response:
    try:
        cd.accounts.authenticate(request.headers.get("authorization", ""))
    except UnauthenticatedError:
        return ok({"Version": "v3.5.1"})
    return ok({"Version": "v3.5.1", "GitTag": "v3.5.1", "GitTreeState": "clean",
               "Platform": "linux/amd64"})  # fmt: skip


@router.get("/api/v1/settings")
def settings() -> Response:
    return ok({"appLabelKey": "app.kubernetes.io/instance", "url": "",
               "controllerNamespace": "argocd"})  # fmt: skip


@router.get("/api/v1/projects")
def list_projects(cd: Cd, caller: Caller) -> Response:
    with cd.store.lock:
        names = sorted({app.project for app in cd.store.applications.values()})
        seen = [_project(name) for name in names if caller.can("projects", "get", name)]
        return ok({"metadata": {"resourceVersion": str(cd.store.resource_version)},
                   "items": seen or None})  # fmt: skip


@router.get("/api/v1/projects/{name}")
def get_project(name: str, cd: Cd, caller: Caller) -> Response:
    if not caller.can("projects", "get", name):
        raise ApiError(7, caller.refusal("projects", "get", name))
    with cd.store.lock:
        if all(app.project != name for app in cd.store.applications.values()):
            raise ApiError(5, f'appprojects.argoproj.io "{name}" not found')
    return ok(_project(name))


def _project(name: str) -> Json:
    return {
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
        },
        "status": {},
    }
