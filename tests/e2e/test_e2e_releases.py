"""From the merge to the verdict: what was merged, whether it is live, and who changed it since."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pilotage.core.model import Command, Origin, Outcome, State, Subject
from pilotage.engine.mail import Commanded, posted
from pilotage.sandbox.argocd.state import SYRF_CHART, Source
from pilotage.sandbox.world import BOT, layout, path_of
from tests.e2e.facts import (
    VERIFY_LONG,
    changed,
    deployments,
    own_commits,
    own_pulls,
    reverts,
    rollout_status,
    stories,
    story,
)
from tests.e2e.harness import FAST, TARGET, Service, quick_world


def together_proven(policy: str = FAST) -> dict[str, str]:
    files = layout(policy)
    files[".pilotage.yaml"] = files[".pilotage.yaml"].replace(
        "preset: cluster-gitops\n", "preset: cluster-gitops\n    together: proven\n"
    )
    return files


def command(service: Service, name: str, argument: str, by: str = "ops") -> None:
    """What the terminal and the API do with a command: mail for the target, and a poke."""
    now = datetime.now(UTC)
    asked = Command(f"test-{name}-{argument}", name, argument, by, now)
    service.store.post([posted(TARGET, Commanded(asked), now)])
    service.engine.poke()


# The merge ------------------------------------------------------------------------------------


@pytest.mark.parametrize("outside_gate", ["note", "hold", "revert"])
def test_a_merge_past_a_closed_gate_is_recorded_and_announced_once(
    tmp_path: Path, outside_gate: str
) -> None:
    """An administrator merges although two boxes are open. The policy says what follows."""
    policy = FAST + f"        outside_gate: {outside_gate}\n"
    with quick_world(tmp_path, policy) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        service.until(lambda: "boxes open" in service.why(pull), "the boxes keep it closed")
        sha = world.github.merge(pull, "maria", bypass=True)
        if outside_gate == "hold":
            held = service.until_state(1, State.VERIFYING)
            assert held.hold is not None
            assert held.hold.subject is Subject.OUTSIDE_GATE
            service.until(lambda: "Held" in "".join(stories(pull)), "the hold is told")
            assert "merged past a closed gate" in story(pull)
            world.github.comment(pull, "/pilotage resume", "maria")
        ended = service.until_state(1)
        assert ended.state is (State.REVERTED if outside_gate == "revert" else State.CONFIRMED)
        assert ended.merge is not None
        assert "2 boxes open" in (ended.merge.outside_gate or "")
        assert len(service.events("outside_gate")) == 1
        acts = [act.key for act in service.store.acts(ended.id) if "outside-gate" in act.key]
        assert acts == [f"{ended.id}/notify/outside-gate"]
        assert len(reverts(world)) == (outside_gate == "revert")
        version = "api-v9.0.4" if outside_gate == "revert" else "api-v9.1.1"
        assert world.version("api", "production") == version
        wanted = "failure" if outside_gate == "revert" else "success"
        service.until(lambda: rollout_status(world, sha) == wanted, "the status is there")
        assert "Merged past a closed gate" in story(pull)


@pytest.mark.parametrize("method", ["squash", "rebase"])
def test_what_was_promoted_is_read_from_the_merge_with_a_persons_commit_in_it(
    tmp_path: Path, method: str
) -> None:
    """A person puts web into the same pull request: both services are watched and confirmed, from
    what stood before the first commit."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_open()
        before = world.repository.git.branch("main")
        path = path_of("production", "web")
        text = world.github.file(world.repository, path).replace("web-v5.0.0", "web-v5.0.1")
        world.github.commit(world.repository, pull.head_ref, {path: text}, "web too", "li")

        def closed() -> bool:
            return service.ready(pull) is not None and "also sets web" in service.why(pull)

        service.until(closed, "the gate is closed over it")
        world.github.merge(pull, "maria", method, bypass=True)
        confirmed = service.until_state(1)
        assert confirmed.state is State.CONFIRMED, service.story()
        assert confirmed.merge is not None
        assert confirmed.merge.method.value == method
        assert confirmed.merge.parent == before
        assert [(each.service, each.before, each.after) for each in confirmed.changes] == [
            ("api", "api-v9.0.4", "api-v9.1.1"),
            ("web", "web-v5.0.0", "web-v5.0.1"),
        ]
        assert set(confirmed.outcomes.values()) == {Outcome.CONFIRMED}
        assert set(confirmed.watches) == {"api-production", "web-production"}


# Is it live? ----------------------------------------------------------------------------------


@pytest.mark.runbook("SYRF-8")
def test_newer_commits_on_main_before_and_during_the_rollout_still_count_as_ours(
    tmp_path: Path,
) -> None:
    """Argo CD never syncs the merge commit itself: a descendant that has our values counts."""
    with (
        quick_world(tmp_path, changed(FAST, VERIFY_LONG)) as world,
        Service(world, tmp_path) as service,
    ):
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        world.argocd.stop_controller()
        sha = world.github.merge(pull, "maria")
        readme = {"README.md": "# Something else\n"}
        newer = world.github.commit(world.repository, "main", readme, "Unrelated", "li")
        service.until_state(1, State.ROLLING_OUT)
        world.argocd.start_controller()
        service.until_state(1, State.VERIFYING)
        newest = world.github.commit(world.repository, "main", {"NOTES": "1\n"}, "More", "li")

        def seen() -> bool:
            promotion = service.promotion(1)
            application = promotion.watches["api-production"].application if promotion else None
            assert application is None or sha not in application.revisions
            return application is not None and newest in application.revisions

        service.until(seen, "the newest commit is seen")
        live = service.promotion(1)
        assert live is not None
        assert newer != newest
        assert live.state is State.VERIFYING
        assert live.outcomes == {"api": Outcome.LIVE}
        assert set(live.watches) == {"api-production"}
        assert reverts(world) == []


def test_live_before_the_service_even_starts(tmp_path: Path) -> None:
    """The merge and the sync happened while the service was down: confirmed all the same."""
    with quick_world(tmp_path) as world:
        with Service(world, tmp_path) as service:
            service.until_settled()
            world.deploy("api", "api-v9.1.1")
            pull = service.until_reviewed()
        sha = world.github.merge(pull, "maria")

        def live() -> bool:
            status = world.argocd.document("api-production")["status"]
            revisions = status["sync"].get("revisions", ())
            healthy = status["health"]["status"] == "Healthy"
            return sha in revisions and healthy and status["sync"]["status"] == "Synced"

        assert world.argocd.wait_until(live, 20)
        with Service(world, tmp_path) as service:
            confirmed = service.until_state(1)
            assert confirmed.state is State.CONFIRMED
            service.until(lambda: rollout_status(world, sha) == "success", "its status is there")
            service.until(lambda: deployments(world, sha)[-1][-1] == "success", "it is recorded")
            assert len(deployments(world, sha)) == 1
            assert len(own_pulls(world)) == 1


@pytest.mark.runbook("SYRF-8")
def test_the_false_live_of_an_application_set_is_not_believed(tmp_path: Path) -> None:
    """Synced and Healthy at our commit with the old chart: it waits until the chart is ours."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        world.argocd.stop_application_sets()
        sha = world.github.merge(pull, "maria")

        def false_live() -> bool:
            promotion = service.promotion(1)
            watch = promotion.watches.get("api-production") if promotion else None
            seen = watch.application if watch else None
            return bool(seen and watch and sha in seen.revisions and watch.row == 9)

        service.until(false_live, "Argo CD shows our commit with the old chart")
        status = world.argocd.document("api-production")["status"]
        assert (status["sync"]["status"], status["health"]["status"]) == ("Synced", "Healthy")
        ticks = len(service.ticks)
        service.until(lambda: len(service.ticks) >= ticks + 3, "it has looked some more")
        waiting = service.promotion(1)
        assert waiting is not None
        assert waiting.state is State.ROLLING_OUT
        world.argocd.start_application_sets()
        assert service.until_state(1).state is State.CONFIRMED
        assert service.events("live")[0].at >= service.events("merged")[0].at


def test_a_stale_healthy_is_not_live(tmp_path: Path) -> None:
    """Synced and Healthy at the commit before ours, because nothing compares any more."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        world.argocd.stop_controller()
        world.github.merge(pull, "maria")
        service.until_state(1, State.ROLLING_OUT)
        ticks = len(service.ticks)
        service.until(lambda: len(service.ticks) >= ticks + 3, "it has looked some more")
        stale = service.promotion(1)
        assert stale is not None
        assert stale.state is State.ROLLING_OUT
        status = world.argocd.document("api-production")["status"]
        assert (status["sync"]["status"], status["health"]["status"]) == ("Synced", "Healthy")
        world.argocd.start_controller()
        assert service.until_state(1).state is State.CONFIRMED


@pytest.mark.parametrize("bad", [False, True], ids=["confirmed", "reverted"])
def test_plain_helm_applications_work_as_well(tmp_path: Path, bad: bool) -> None:
    """One source, the values read from the promoted file itself, no ApplicationSet."""
    files = layout(FAST)
    for path in [path for path in files if path.endswith("config.yaml")]:
        files[path] = files[path].replace("enabled: true", "enabled: false")
        files[path] = files[path].replace("enabled:   true", "enabled: false")
    with quick_world(tmp_path, files=files) as world:
        url = f"{world.github_server.url}/{world.repository.full_name}.git"
        for environment in ("staging", "production"):
            for name in ("api", "web", "project-management"):
                folder = path_of(environment, name).removesuffix("/config.yaml")
                source = Source(url, path=folder, value_files=("config.yaml",))
                world.argocd.add_application(
                    f"{name}-{environment}", sources=[source], chart=SYRF_CHART
                )
        with Service(world, tmp_path) as service:
            service.until_settled()
            if bad:
                world.argocd.fail_next_deployment("api-production")
            service.release("api", "api-v9.1.1")
            ended = service.until_state(1)
            assert ended.state is (State.REVERTED if bad else State.CONFIRMED), service.story()
            version = "api-v9.0.4" if bad else "api-v9.1.1"
            assert world.version("api", "production") == version
            image = f"ghcr.io/camaradesuk/syrf-api:{version.removeprefix('api-v')}"
            status = world.argocd.document("api-production")["status"]
            assert image in status["summary"]["images"]


# Together -------------------------------------------------------------------------------------


def test_one_of_three_fails_under_together_all(tmp_path: Path) -> None:
    """All go back, only the failed version is quarantined, the others return with the next set."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.fail_next_deployment("api-production")
        for name, version in (("api", "api-v9.2.0"), ("web", "web-v5.0.1")):
            world.deploy(name, version)
        world.deploy("project-management", "pm-v10.46.0")
        pull = service.until_open()
        service.until(
            lambda: all(each in pull.title for each in ("api v9.2.0", "web v5.0.1", "10.46.0")),
            "all three are in it",
        )
        service.tick_all(pull)
        service.until_ready(pull)
        world.github.merge(pull, "maria")
        reverted = service.until_state(1)
        assert reverted.state is State.REVERTED, service.story()
        assert set(reverted.outcomes.values()) == {Outcome.REVERTED}
        assert len(reverts(world)) == 1
        assert world.version("web", "production") == "web-v5.0.0"
        assert world.version("project-management", "production") == "pm-v10.45.0"
        target = service.target()
        assert target is not None
        assert [(each.service, each.version) for each in target.quarantine] == [
            ("api", "api-v9.2.0")
        ]
        assert len(own_pulls(world)) == 1, "a quarantined version blocks the set under `all`"
        world.deploy("api", "api-v9.2.1")
        following = service.until_open(2)
        service.until(lambda: "api v9.2.1" in following.title, "the next set is proposed")
        assert "web v5.0.1" in following.title


def test_one_of_three_fails_under_together_proven(tmp_path: Path) -> None:
    """The failed one is put back alone, the others are confirmed and stay."""
    files = together_proven()
    with quick_world(tmp_path, files=files) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.fail_next_deployment("api-production")
        for name, version in (("api", "api-v9.2.0"), ("web", "web-v5.0.1")):
            world.deploy(name, version)
        world.deploy("project-management", "pm-v10.46.0")
        pull = service.until_open()
        service.until(
            lambda: all(each in pull.title for each in ("api v9.2.0", "web v5.0.1", "10.46.0")),
            "all three are in it",
        )
        service.tick_all(pull)
        service.until_ready(pull)
        sha = world.github.merge(pull, "maria")
        ended = service.until_state(1)
        assert ended.state is State.REVERTED, service.story()
        assert ended.outcomes == {
            "api": Outcome.REVERTED,
            "web": Outcome.CONFIRMED,
            "project-management": Outcome.CONFIRMED,
        }
        assert world.version("api", "production") == "api-v9.0.4"
        assert world.version("web", "production") == "web-v5.0.1"
        assert world.version("project-management", "production") == "pm-v10.46.0"
        assert [title.split(":")[0] for title in reverts(world)] == ["rollback(api)"]
        service.until(lambda: rollout_status(world, sha) == "failure", "the status is there")
        assert len(own_pulls(world)) == 1, "the quarantined version is left out"


# What people do themselves --------------------------------------------------------------------


@pytest.mark.parametrize("how", ["commit", "pull request"])
def test_a_persons_rollback_is_not_fought(tmp_path: Path, how: str) -> None:
    """Their old value stays; the version is proposed again only when somebody lifts it."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        service.release("api", "api-v9.1.1")
        assert service.until_state(1).state is State.CONFIRMED
        path = path_of("production", "api")
        text = world.github.file(world.repository, path).replace("api-v9.1.1", "api-v9.0.4")
        if how == "commit":
            world.github.commit(world.repository, "main", {path: text}, "Back to 9.0.4", "li")
        else:
            world.github.commit(world.repository, "back", {path: text}, "Back to 9.0.4", "li")
            pull = world.github.open_pull_request_as("li", world.repository, "back", "Back")
            service.until_ready(pull)
            world.github.merge(pull, "li")
        service.until(lambda: bool(service.events("person_rolled_back")), "it is noticed")
        watched = service.until_state(2)
        assert watched.state is State.CONFIRMED
        assert watched.origin is Origin.PERSON
        target = service.target()
        assert target is not None
        assert [(each.service, each.version) for each in target.quarantine] == [
            ("api", "api-v9.1.1")
        ]
        assert target.quarantine[0].by != BOT
        assert world.version("api", "production") == "api-v9.0.4"
        assert len(own_pulls(world)) == 1
        assert reverts(world) == []
        command(service, "lift", "api api-v9.1.1")
        again = service.until_open(2 if how == "commit" else 3)
        assert "api v9.1.1" in again.title


def test_a_persons_release_on_main_is_watched_and_confirmed(tmp_path: Path) -> None:
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        sha = world.deploy("api", "api-v9.3.0", "production", by="li")
        confirmed = service.until_state(1)
        assert confirmed.state is State.CONFIRMED
        assert confirmed.origin is Origin.PERSON
        assert confirmed.merge is not None
        assert confirmed.merge.by == "Li", "git knows the name of whoever wrote it"
        service.until(lambda: rollout_status(world, sha) == "success", "its status is there")
        assert own_commits(world) == []
        assert own_pulls(world) == [], "staging is older now: nothing goes backwards"


def test_a_persons_release_that_fails_is_held_and_never_reverted(tmp_path: Path) -> None:
    """Whoever wrote it decides. When they have put it right, the target is free again."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.fail_next_deployment("api-production")
        world.deploy("api", "api-v9.3.0", "production", by="li")

        def held() -> bool:
            promotion = service.promotion(1)
            return promotion is not None and promotion.hold is not None

        service.until(held, "it is held")
        promotion = service.promotion(1)
        assert promotion is not None
        assert promotion.hold is not None
        assert promotion.hold.subject is Subject.FAILURE
        assert "Li wrote it" in promotion.hold.reason
        assert world.version("api", "production") == "api-v9.3.0"
        assert own_commits(world) == []
        world.deploy("api", "api-v9.3.1", "production", by="li")
        assert service.until_state(1).state is State.SUPERSEDED
        assert service.until_state(2).state is State.CONFIRMED
        assert own_commits(world) == []


def test_a_value_that_a_person_changes_during_the_rollout_is_not_reverted(tmp_path: Path) -> None:
    """The failing version is replaced by hand before the verdict: theirs is watched instead."""
    policy = changed(FAST, ("degraded: 0.2s", "degraded: 60s"))
    with quick_world(tmp_path, policy) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.fail_next_deployment("api-production", tag="9.2.0")
        service.release("api", "api-v9.2.0")
        service.until_state(1, State.ROLLING_OUT)
        world.deploy("api", "api-v9.2.1", "production", by="li")
        ended = service.until_state(1)
        assert ended.state is State.SUPERSEDED
        assert ended.outcomes == {"api": Outcome.OVERTAKEN}
        theirs = service.until_state(2)
        assert theirs.state is State.CONFIRMED
        assert theirs.origin is Origin.PERSON
        assert world.version("api", "production") == "api-v9.2.1"
        assert reverts(world) == []
