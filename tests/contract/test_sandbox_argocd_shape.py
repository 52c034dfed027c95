"""What the stand-in answers has the shape of what a real Argo CD answered."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pilotage.sandbox.argocd import create_app
from pilotage.sandbox.serve import Server
from tests.contract.argocd_shape import recorded_application, shape_of
from tests.contract.argocd_stories import STORIES
from tests.contract.argocd_world import Json, World, make_world, recording, step_of, values

# What a client that decides about a rollout may read, and where it stands.
_READ = """
metadata.name metadata.namespace metadata.uid metadata.resourceVersion metadata.labels
metadata.creationTimestamp metadata.annotations metadata.ownerReferences.name spec.project
spec.source.repoURL spec.source.path spec.source.targetRevision spec.source.helm.valueFiles
spec.sources.repoURL spec.sources.targetRevision spec.sources.ref spec.destination.namespace
spec.destination.server spec.syncPolicy.automated.prune spec.syncPolicy.automated.selfHeal
status.sync.status status.sync.revision status.sync.revisions
status.sync.comparedTo.source.targetRevision status.sync.comparedTo.sources.targetRevision
status.sync.comparedTo.destination.namespace status.health.status
status.health.lastTransitionTime status.reconciledAt status.summary.images status.sourceType
status.sourceTypes status.resources.kind status.resources.name status.resources.namespace
status.resources.group status.resources.version status.resources.status
status.resources.health.status status.resources.health.message status.resources.hook
status.resources.requiresPruning status.conditions.type status.conditions.message
status.conditions.lastTransitionTime status.history.id status.history.revision
status.history.revisions status.history.deployedAt status.history.deployStartedAt
status.history.initiatedBy.automated status.history.initiatedBy.username
status.history.source.targetRevision status.history.sources.targetRevision
status.operationState.phase status.operationState.message status.operationState.startedAt
status.operationState.finishedAt status.operationState.retryCount
status.operationState.operation.sync.revision status.operationState.operation.sync.revisions
status.operationState.operation.sync.dryRun status.operationState.operation.sync.prune
status.operationState.operation.sync.resources.kind
status.operationState.operation.sync.autoHealAttemptsCount
status.operationState.operation.initiatedBy.automated
status.operationState.operation.initiatedBy.username status.operationState.operation.retry.limit
status.operationState.syncResult.revision status.operationState.syncResult.revisions
status.operationState.syncResult.resources.kind status.operationState.syncResult.resources.name
status.operationState.syncResult.resources.status
status.operationState.syncResult.resources.message
status.operationState.syncResult.resources.hookType
status.operationState.syncResult.resources.hookPhase
status.operationState.syncResult.resources.syncPhase
status.operationState.syncResult.resources.images operation.sync.revision
operation.sync.revisions operation.initiatedBy.automated operation.retry.limit
"""
READ = _READ.split()


@pytest.fixture
def argo(tmp_path: Path) -> World:
    return make_world(tmp_path)


TELLING = (
    "promotion-helm-auto",
    "appset-promotion-refresh-only",
    "postsync-hook-slow-then-fails",
    "broken-yaml",
    "manual-app-full",
    "prune-not-done",
)


def test_everything_that_decides_about_a_rollout_is_there(tmp_path: Path) -> None:
    """Each key that a watcher may read appears in some story, as it does in the recordings."""
    documents = []
    for name in TELLING:
        world = make_world(tmp_path / name)
        STORIES[name](world)
        documents += [one for changes in world.documents.values() for one in changes]
    paths = shape_of(*documents).paths()
    assert [path for path in READ if path not in paths] == []
    assert [path for path in READ if path not in recorded_application().paths()] == []


def test_between_a_new_chart_tag_and_its_comparison_both_are_told(argo: World) -> None:
    """The specification has the new tag, `comparedTo` still the old one: synced and healthy."""
    STORIES["appset-promotion-refresh-only"](argo)

    def tags(document: Json) -> tuple[str, str]:
        compared = document["status"]["sync"]["comparedTo"]["sources"]
        spec = document["spec"]["sources"]
        return spec[0]["targetRevision"], compared[0]["targetRevision"]

    recorded = tags(recording("appset-promotion-refresh-only-stage2")["response"]["body"])
    assert recorded == ("api-v1.2.0", "api-v1.1.0")
    told = [tags(document) for document in argo.documents["api-staging"]]
    assert ("api-v1.1.0", "api-v1.0.0") in told
    between = argo.documents["api-staging"][told.index(("api-v1.1.0", "api-v1.0.0"))]["status"]
    assert (between["sync"]["status"], between["health"]["status"]) == ("Synced", "Healthy")
    assert told[-1] == ("api-v1.1.0", "api-v1.1.0")


@pytest.mark.parametrize("name", ["manual-app-full", "sync-selected-resources"])
def test_a_dry_run_and_a_partial_sync_leave_no_history(argo: World, name: str) -> None:
    """They end as Succeeded at the commit, which is in no history entry, as recorded."""
    STORIES[name](argo)
    story = argo.documents["api-staging"]
    ended = next(one["status"] for one in story if step_of(one)[3:] == step_of(story[-1])[3:])
    operation = ended["operationState"]["operation"]["sync"]
    assert operation.get("dryRun") or operation.get("resources")
    known = [entry["revision"] for entry in ended["history"]]
    assert ended["operationState"]["syncResult"]["revision"] not in known
    assert ended["sync"]["status"] == "OutOfSync"


@pytest.mark.parametrize("reason", ["crash-loop", "image-pull", "out-of-memory"])
def test_a_degraded_tree_tells_why(argo: World, reason: str) -> None:
    """The pods of a version that fails carry reason, restarts and message, in the recorded
    shape, beside the old pods that still run."""
    argo.plain()
    argo.argocd.fail_next_deployment("api-staging", reason, "missing env DATABASE_URL")
    argo.commit({"helm-values/staging.yaml": values("1.1.0")})
    argo.refresh("api-staging", then=40)
    assert argo.state("api-staging")[2] == "Degraded"
    tree = argo.argocd.resource_tree("api-staging")
    shape = shape_of(*(recording(name)["response"]["body"] for name in TREES))
    assert shape.violations(tree) == []
    pods = {pod["images"][0].rpartition(":")[2]: pod for pod in tree["nodes"]
            if pod["kind"] == "Pod"}  # fmt: skip
    info = {one["name"]: one["value"] for one in pods["1.1.0"]["info"]}
    status = {"crash-loop": "CrashLoopBackOff", "image-pull": "ImagePullBackOff",
              "out-of-memory": "OOMKilled"}[reason]  # fmt: skip
    assert info["Status Reason"] == status
    assert info["Containers"] == "0/1"
    assert ("Restart Count" in info) is (reason != "image-pull")
    assert pods["1.1.0"]["health"] == {
        "status": "Degraded",
        "message": "missing env DATABASE_URL",
    }
    assert pods["1.0.0"]["health"] == {"status": "Healthy"}


TREES = ("resource-tree", "resource-tree-degraded")


@pytest.fixture
def client(argo: World) -> Iterator[httpx.Client]:
    argo.plain()
    headers = {"Authorization": f"Bearer {argo.argocd.accounts.token('pilotage')}"}
    with (
        Server(create_app(argo.argocd)) as server,
        httpx.Client(base_url=server.url, headers=headers, verify=False) as opened,
    ):
        yield opened


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("resource-tree", TREES),
        ("managed-resources", ("managed-resources", "managed-resources-outofsync")),
        ("events", ("app-events", "app-events-degraded")),
        ("syncwindows", ("syncwindows-none", "syncwindows-deny")),
        ("manifests", ("manifests-current", "manifests-branch-commit")),
        ("revisions/main/metadata", ("revision-metadata-head",)),
    ],
)
def test_what_belongs_to_an_application(
    client: httpx.Client, path: str, names: tuple[str, ...]
) -> None:
    answer = client.get(f"/api/v1/applications/api-staging/{path}")
    recorded = [recording(name)["response"] for name in names]
    assert answer.status_code == 200
    assert answer.headers["content-type"] == recorded[0]["headers"]["Content-Type"]
    shape = shape_of(*(one["body"] for one in recorded))
    assert shape.violations(answer.json()) == []


def test_manifests_are_made_of_the_recorded_parts(client: httpx.Client) -> None:
    """Rendered resources have the keys of the recorded ones, down to the image."""
    texts = client.get("/api/v1/applications/api-staging/manifests").json()["manifests"]
    recorded = recording("manifests-current")["response"]["body"]["manifests"]
    shape = shape_of(*(json.loads(text) for text in recorded))
    for text in texts:
        manifest = json.loads(text)
        manifest["metadata"].pop("labels", None)
        assert shape.violations(manifest) == []
    assert json.loads(texts[1])["spec"]["template"]["spec"]["containers"] == [
        {"image": "ghcr.io/camaradesuk/syrf-api:1.0.0", "name": "app"}
    ]


@pytest.mark.parametrize("name", ["list-fields-mask", "list-projects-fields"])
def test_the_lists_mask_drops_what_it_does_not_know(client: httpx.Client, name: str) -> None:
    """`items.status.sync` is asked for and not answered, as recorded."""
    recorded = recording(name)
    query = recorded["request"]["query"] | {"projects": "syrf-staging"}
    answer = client.get("/api/v1/applications", params=query).json()
    assert shape_of(recorded["response"]["body"]).paths() == shape_of(answer).paths()


def test_a_list_gives_whole_applications(client: httpx.Client) -> None:
    answer = client.get("/api/v1/applications", params={"selector": "nothing=here"}).json()
    assert answer["items"] is None
    whole = client.get("/api/v1/applications").json()
    assert [one["metadata"]["name"] for one in whole["items"]] == ["api-staging"]
    assert recorded_application().violations(whole["items"][0]) == []
