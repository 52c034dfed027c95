"""The recorded stories, told again: what is pushed, asked for and broken, and when."""

from collections.abc import Callable

from pilotage.sandbox.argocd import SyncWindow
from tests.contract.argocd_world import World, config, values

STAGING = "helm-values/staging.yaml"
API = "syrf/environments/staging/api/config.yaml"


def promotion(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)


def racing_promotion(argo: World) -> None:
    argo.argocd.faults.self_heal_races = True
    promotion(argo)


def unrelated(argo: World) -> None:
    argo.plain()
    argo.commit({"README.md": "docs only\n"})
    argo.refresh("api-staging", then=5)


def old_operation(argo: World) -> None:
    """Begin with a revision that is newer than the one last synced."""
    argo.plain()
    argo.commit({"docs.md": "x"})
    argo.refresh("api-staging", then=5)
    argo.begin("api-staging")


def bad_image(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.3.0-bad")})
    argo.refresh("api-staging", then=0.25)
    argo.commit({"README.md": "somebody else's commit\n"})
    argo.argocd.advance(14)
    argo.commit({STAGING: values("1.0.0")})
    argo.refresh("api-staging", then=5)


def bad_image_without_another_commit(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.3.0-bad")})
    argo.refresh("api-staging", then=14)


def appset(argo: World) -> None:
    argo.commit({API: config("api", "staging", "api-v1.0.0")})
    argo.set()
    argo.commit({API: config("api", "staging", "api-v1.1.0")})
    argo.refresh("api-staging", then=5)


def appset_down(argo: World) -> None:
    argo.commit({API: config("api", "staging", "api-v1.0.0")})
    argo.set()
    argo.argocd.stop_application_sets()
    argo.commit({API: config("api", "staging", "api-v1.1.0")})
    argo.refresh("api-staging", then=6)
    argo.argocd.start_application_sets()
    argo.argocd.advance(5)


def appset_unknown_tag(argo: World) -> None:
    argo.argocd.faults.missing_tags.add("api-v9.9.9")
    argo.commit({API: config("api", "staging", "api-v1.0.0")})
    argo.set()
    argo.commit({API: config("api", "staging", "api-v9.9.9")})
    argo.argocd.application_sets.wake("syrf-set")
    argo.argocd.advance(3)
    argo.commit({API: config("api", "staging", "api-v1.1.0")})
    argo.argocd.application_sets.wake("syrf-set")
    argo.argocd.advance(5)


def invalid_manifest(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.1.0", podLabels={"app": "other"})})
    argo.refresh("api-staging", then=220)
    argo.commit({STAGING: values("1.0.0")})
    argo.refresh("api-staging", then=5)
    argo.commit({STAGING: values("1.2.0")})
    argo.refresh("api-staging", then=3)
    argo.argocd.terminate("api-staging")
    argo.argocd.advance(5)


def postsync_fails(argo: World) -> None:
    argo.plain(retry_limit=2)
    argo.commit({STAGING: values("0.9.0", hooks={"preSync": "migrate:1-fail"})})
    argo.refresh("api-staging", then=60)
    argo.commit({STAGING: values("1.0.0")})
    argo.refresh("api-staging", then=5)
    argo.begin("api-staging")
    hooks = {"preSync": "migrate:1.0.0", "postSync": "smoke:1.0.0-longjob-fail"}
    argo.commit({STAGING: values("1.1.0", hooks=hooks)})
    argo.refresh("api-staging", then=35)
    argo.argocd.terminate("api-staging")
    argo.argocd.advance(2)
    argo.refresh("api-staging", then=2)
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)


def broken_yaml(argo: World) -> None:
    old_operation(argo)
    argo.commit({STAGING: "image: [not, closed\n"})
    argo.refresh("api-staging", then=5)
    argo.commit({STAGING: values("1.0.0")})
    argo.refresh("api-staging", then=5)


def manual(argo: World) -> None:
    argo.plain(automated=False)
    argo.commit({"docs.md": "x"})
    argo.refresh("api-staging", then=2)
    argo.begin("api-staging")
    argo.commit({"docs.md": "y"})
    argo.refresh("api-staging", then=2)
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)
    argo.argocd.sync("api-staging", dry_run=True)
    argo.argocd.advance(3)
    argo.argocd.sync("api-staging")
    argo.argocd.advance(0.5)
    argo.commit({"docs.md": "z"})
    argo.refresh("api-staging", then=5)


def terminate(argo: World) -> None:
    old_operation(argo)
    argo.commit({STAGING: values("1.1.0", hooks={"preSync": "migrate:1-longjob"})})
    argo.refresh("api-staging", then=5)
    argo.argocd.terminate("api-staging")
    argo.argocd.advance(2)
    argo.refresh("api-staging", then=4)
    argo.commit({STAGING: values("1.2.0", hooks={"preSync": "migrate:1.2.0"})})
    argo.refresh("api-staging", then=10)


def presync_fails(argo: World) -> None:
    argo.plain(retry_limit=2)
    argo.commit({STAGING: values("1.1.0", hooks={"preSync": "migrate:1-fail"})})
    argo.refresh("api-staging", then=60)
    argo.refresh("api-staging", then=10)
    argo.commit({STAGING: values("1.0.0")})
    argo.refresh("api-staging", then=10)


def presync(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.1.0", hooks={"preSync": "migrate:1.1.0"})})
    argo.refresh("api-staging", then=4.6)
    argo.commit({"README.md": "another\n"})
    argo.refresh("api-staging", then=5)


def drift_healed(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=0.22)
    argo.begin("api-staging")
    argo.argocd.advance(5)
    argo.argocd.scale("api-staging", 2)
    argo.argocd.advance(5)


def drift_left(argo: World) -> None:
    argo.plain(self_heal=False)
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=0.22)
    argo.begin("api-staging")
    argo.argocd.advance(5)
    argo.argocd.scale("api-staging", 2)
    argo.argocd.advance(7)
    argo.refresh("api-staging", then=2)
    argo.commit({"README.md": "unrelated\n"})
    argo.refresh("api-staging", then=5)


def pod_deleted(argo: World) -> None:
    argo.plain()
    argo.argocd.delete_pods("api-staging")
    argo.argocd.advance(5)


def newer_commit(argo: World) -> None:
    argo.plain(retry_limit=0)
    argo.commit({STAGING: values("0.9.0", hooks={"preSync": "migrate:1-fail"})})
    argo.refresh("api-staging", then=60)
    argo.commit({STAGING: values("1.0.0")})
    argo.refresh("api-staging", then=5)
    argo.begin("api-staging")
    argo.commit({STAGING: values("1.1.0", hooks={"preSync": "migrate:1-longjob"})})
    argo.refresh("api-staging", then=6)
    argo.commit({STAGING: values("1.2.0", hooks={"preSync": "migrate:1.2.0"})})
    argo.refresh("api-staging", then=5)
    argo.commit({"README.md": "nobody asks for a refresh\n"})
    argo.argocd.advance(25)


def paused(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.1.0", paused=True)})
    argo.refresh("api-staging", then=4)
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)


def git_down(argo: World) -> None:
    argo.plain()
    argo.argocd.faults.git_down = True
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)
    argo.argocd.faults.git_down = False
    argo.refresh("api-staging", then=5)


def repo_server_down(argo: World) -> None:
    argo.plain()
    argo.argocd.faults.repo_server_down = True
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)
    argo.argocd.faults.repo_server_down = False
    argo.refresh("api-staging", then=5)


def controller_down(argo: World) -> None:
    argo.plain()
    argo.argocd.stop_controller()
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=20)
    argo.argocd.start_controller()
    argo.argocd.advance(5)


def slow(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.4.0-slow")})
    argo.refresh("api-staging", then=30)


def window(argo: World) -> None:
    old_operation(argo)
    argo.argocd.set_window("api-staging", SyncWindow("deny"))
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=6)
    argo.argocd.set_window("api-staging", None)
    argo.argocd.advance(8)
    argo.refresh("api-staging", then=5)


def unpruned(argo: World) -> None:
    argo.plain(automated=False)
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)
    argo.begin("api-staging")
    argo.commit({STAGING: values("1.1.0", configMap={"enabled": False})})
    argo.refresh("api-staging", then=1)
    argo.argocd.sync("api-staging")
    argo.argocd.advance(5)
    argo.argocd.sync("api-staging", prune=True)
    argo.argocd.advance(5)


def deployment_deleted(argo: World) -> None:
    argo.plain(automated=False)
    argo.argocd.delete_resource("api-staging", "Deployment")
    argo.argocd.advance(15)
    argo.commit({"README.md": "another\n"})
    argo.argocd.sync("api-staging")
    argo.argocd.advance(5)


def image_pull(argo: World) -> None:
    argo.plain()
    argo.commit({STAGING: values("1.7.0-nopull")})
    argo.refresh("api-staging", then=5)
    argo.commit({STAGING: values("1.7.1")})
    argo.refresh("api-staging", then=5)


def pushed_back(argo: World) -> None:
    before = argo.commit({"docs.md": "x"})
    argo.plain()
    argo.commit({STAGING: values("1.1.0")})
    argo.refresh("api-staging", then=5)
    argo.repository.rewind(before)
    argo.refresh("api-staging", then=5)


def older_revision(argo: World) -> None:
    argo.plain(automated=False)
    old = argo.commit({"docs.md": "x"})
    argo.commit({STAGING: values("1.1.0")})
    argo.argocd.sync("api-staging")
    argo.argocd.advance(5)
    argo.commit({"docs.md": "y"})
    argo.refresh("api-staging", then=5)
    argo.begin("api-staging")
    argo.argocd.sync("api-staging", revision=old)
    argo.argocd.advance(6)
    argo.refresh("api-staging", then=5)


def only_the_config_map(argo: World) -> None:
    argo.plain(automated=False)
    argo.commit({"docs.md": "x"})
    argo.refresh("api-staging", then=5)
    argo.begin("api-staging")
    argo.commit({STAGING: values("1.1.0", note="partial")})
    argo.refresh("api-staging", then=0.3)
    argo.argocd.sync("api-staging", kinds=("ConfigMap",))
    argo.argocd.advance(5)


STORIES: dict[str, Callable[[World], None]] = {
    "promotion-helm-auto": racing_promotion,
    "unrelated-commit": unrelated,
    "bad-image": bad_image,
    "appset-promotion-refresh-only": appset,
    "appset-controller-down": appset_down,
    "appset-promotion-unknown-tag": appset_unknown_tag,
    "invalid-manifest-clean": invalid_manifest,
    "postsync-hook-slow-then-fails": postsync_fails,
    "broken-yaml": broken_yaml,
    "manual-app-full": manual,
    "terminate-operation": terminate,
    "presync-hook-fails-clean": presync_fails,
    "promotion-presync-hook": presync,
    "drift-selfheal-on": drift_healed,
    "drift-selfheal-off": drift_left,
    "pod-deleted": pod_deleted,
    "newer-commit-during-running-sync": newer_commit,
    "paused-deployment": paused,
    "git-server-down": git_down,
    "repo-server-down": repo_server_down,
    "controller-down": controller_down,
    "slow-image-deadline10": slow,
    "sync-window-deny-auto": window,
    "prune-not-done": unpruned,
    "missing-resources": deployment_deleted,
    "imagepullbackoff-then-newer-good-commit": image_pull,
    "force-push-back": pushed_back,
    "manual-sync-older-revision": older_revision,
    "sync-selected-resources": only_the_config_map,
}
