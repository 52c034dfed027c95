"""Confirm or put back: what makes production go back, how it gets there, and when it must not."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr

from pilotage.core.acts import Act, Result, RevertCommit
from pilotage.core.model import Hold, Outcome, Promotion, State, Subject
from pilotage.core.outputs import Outputs
from pilotage.engine.perform import Performer
from pilotage.sandbox.argocd.cluster import Reason
from pilotage.sandbox.github.model import MergeMethod
from pilotage.sandbox.world import BOT, World, path_of
from pilotage.settings import ChannelSettings
from tests.e2e.facts import (
    VERIFY_LONG,
    changed,
    deployments,
    keeps_trying,
    own_commits,
    own_pulls,
    reverts,
    rollout_status,
    stories,
    story,
)
from tests.e2e.harness import FAST, Service, quick_world
from tests.e2e.receivers import Receiver


def until_held(service: Service, number: int, subject: Subject) -> Hold:
    """The promotion is held about this; the history says so once."""

    def held() -> bool:
        promotion = service.promotion(number)
        return bool(promotion and promotion.hold and promotion.hold.subject is subject)

    service.until(held, f"promotion {number} is held: {subject}")
    promotion = service.promotion(number)
    assert promotion is not None
    assert promotion.hold is not None
    service.until(lambda: len(service.events("held")) == 1, "it is told once")
    return promotion.hold


def notified(service: Service, promotion: Promotion, event: str) -> int:
    """Messages of one kind that were recorded for a promotion."""
    acts = service.store.acts(promotion.id)
    return sum(each.act.kind == "notify" and each.act.event == event for each in acts)


# The revert -----------------------------------------------------------------------------------


@pytest.mark.runbook("SYRF-8")
@pytest.mark.runbook("SYRF-10")
@pytest.mark.runbook("SYRF-11")
def test_a_failed_version_is_put_back_by_value_and_everything_else_stays(tmp_path: Path) -> None:
    """Edits of other keys and files between merge and revert stay; the commit says what failed;
    one comment, one status, one deployment record tell the whole story."""
    policy = changed(FAST, ("degraded: 0.2s", "degraded: 1s"))
    with quick_world(tmp_path, policy) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.fail_next_deployment("api-production", message="missing env DATABASE_URL")
        pull = service.release("api", "api-v9.2.0")
        service.until_state(1, State.ROLLING_OUT)
        path = path_of("production", "api")
        text = world.github.file(world.repository, path).replace("replicas: 3", "replicas: 5")
        files = {path: text, "README.md": "# Edited meanwhile\n"}
        world.github.commit(world.repository, "main", files, "More replicas", "li")
        reverted = service.until_state(1)
        assert reverted.state is State.REVERTED, service.story()
        assert reverted.outcomes == {"api": Outcome.REVERTED}
        after = world.github.file(world.repository, path)
        assert after == text.replace("api-v9.2.0", "api-v9.0.4")
        assert world.github.file(world.repository, "README.md") == "# Edited meanwhile\n"

        assert reverted.merge is not None
        commit = world.repository.git.log("-1", "main")[0]
        assert commit.author.name == BOT
        title, _, body = commit.message.partition("\n")
        wanted = (
            r"rollback\(api\): revert production to v9\.0\.4 due to api-production: Pod/api-\S+: "
            r"CrashLoopBackOff.*: missing env DATABASE_URL"
        )
        assert re.fullmatch(wanted, title), title
        assert "api: api-v9.2.0 -> api-v9.0.4" in body
        assert f"This reverts commit {reverted.merge.sha}." in body
        assert len(reverts(world)) == 1
        assert not [name for name in world.repository.git.refs("refs/heads/") if "revert" in name]

        target = service.target()
        assert target is not None
        found = [(each.service, each.version, each.by) for each in target.quarantine]
        assert found == [("api", "api-v9.2.0", "pilotage")]
        sha = reverted.merge.sha
        service.until(lambda: "Reverted" in story(pull), "the comment tells the end")
        assert "missing env DATABASE" in story(pull)
        assert "quarantine lift syrf/production api api-v9.2.0" in story(pull)
        assert rollout_status(world, sha) == "failure"
        records = deployments(world, sha)
        assert len(records) == 1
        assert records[0][-1] == "failure"
        assert "success" not in records[0]
        assert len(own_pulls(world)) == 1


@pytest.mark.parametrize("method", ["squash", pytest.param("rebase", marks=pytest.mark.thorough)])
def test_a_revert_is_merged_as_the_repository_allows(tmp_path: Path, method: str) -> None:
    """Where no merge commit may be: what was put back, and by which act, is told all the same."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.fail_next_deployment("api-production")
        service.release("api", "api-v9.2.0")
        world.repository.allowed_methods = frozenset({MergeMethod(method)})
        world.github.protect(world.repository, "main", ["pilotage/ready"], pull_request=True)
        reverted = service.until_state(1)
        assert reverted.state is State.REVERTED
        assert world.version("api", "production") == "api-v9.0.4"
        landed = world.repository.git.log("-1", "main")[0]
        assert landed.sha == reverted.reverts[-1].sha
        assert landed.title.startswith("rollback(api): revert production to v9.0.4 due to ")
        assert f"Pilotage-Act: {reverted.id}/revert/" in landed.message


@pytest.mark.parametrize("rules", ["pull request", "approval", "closed", "by hand"])
def test_a_revert_that_protection_refuses_goes_by_pull_request(tmp_path: Path, rules: str) -> None:
    """Merged at once where the rules let it; else held, announced with what to do and which rules
    refused it, and a person merges it, closes it, or puts the value back by a commit of theirs."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.fail_next_deployment("api-production")
        world.deploy("api", "api-v9.2.0")
        pull = service.until_reviewed()
        approvals = 0 if rules == "pull request" else 1
        world.github.merge(pull, "maria")
        world.github.protect(
            world.repository,
            "main",
            ["pilotage/ready"],
            pull_request=True,
            approvals=approvals,
            enforce_admins=False,
        )
        if rules == "pull request":
            reverted = service.until_state(1)
            assert reverted.state is State.REVERTED
            assert world.pulls()[1].merged
            assert world.pulls()[1].title.startswith("rollback(api): revert production to v9.0.4")
            assert len(own_pulls(world)) == 2
            assert world.version("api", "production") == "api-v9.0.4"
            return
        hold = until_held(service, 1, Subject.REVERT)
        revert = world.pulls()[1]
        assert f"merge #{revert.number}" in hold.reason
        assert "the push to main was refused: error: GH006" in hold.reason, "the rule is named"
        assert "the merge was refused: " in hold.reason
        assert service.ready(revert) == "success"
        service.until(lambda: "to put production back" in story(pull), "the comment says it")
        promotion = service.promotion(1)
        assert promotion is not None
        assert notified(service, promotion, "held") == 1
        match rules:
            case "approval":
                world.github.approve(revert, "maria")
                world.github.merge(revert, "maria")
                assert service.until_state(1).state is State.REVERTED
                assert world.version("api", "production") == "api-v9.0.4"
            case "closed":
                world.github.close(revert, "li")
                service.until(lambda: "was closed" in story(pull), "the end is noticed")
                still = service.promotion(1)
                assert still is not None
                assert still.state is State.REVERTING
                assert world.version("api", "production") == "api-v9.2.0"
                world.github.unprotect(world.repository)
                world.github.comment(pull, "/pilotage resume", "maria")
                assert service.until_state(1).state is State.REVERTED
                assert len(reverts(world)) == 1
            case _:
                world.deploy("api", "api-v9.0.4", "production", by="li")
                assert service.until_state(1).state is State.SUPERSEDED
                service.until(lambda: not revert.open, "nobody needs the pull request any more")
                assert not revert.merged
        assert len(own_pulls(world)) == 2


def test_a_revert_that_loses_the_race_for_the_branch_is_planned_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody pushes between planning and pushing: once more, on the new head, and only once."""
    perform = Performer.perform
    raced: list[str] = []
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:

        def racing(self: Performer, act: Act, outputs: Sequence[Outputs]) -> Result:
            if isinstance(act, RevertCommit) and not raced:
                raced.append(act.key)
                world.github.commit(world.repository, "main", {"NOTES": "1\n"}, "Race", "li")
            return perform(self, act, outputs)

        monkeypatch.setattr(Performer, "perform", racing)
        service.until_settled()
        world.argocd.fail_next_deployment("api-production")
        service.release("api", "api-v9.2.0")
        reverted = service.until_state(1)
        assert reverted.state is State.REVERTED, service.story()
        assert raced
        assert reverted.reverts[0].attempt == 2
        assert len(reverts(world)) == 1
        titles = [commit.title for commit in world.repository.git.log("-2", "main")]
        assert titles[1] == "Race"
        assert not [name for name in world.repository.git.refs("refs/heads/") if "revert" in name]


def test_a_revert_that_does_not_come_up_is_held(tmp_path: Path) -> None:
    """Never a revert of a revert: a person is asked."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.fail_next_deployment("api-production")
        world.argocd.bad_version("9.0.4", Reason.REFUSED)
        pull = service.release("api", "api-v9.2.0")
        hold = until_held(service, 1, Subject.REVERT)
        assert "the revert of api does not come up" in hold.reason
        service.until(lambda: "Held" in story(pull), "the comment says it")
        held = service.promotion(1)
        assert held is not None
        assert held.state is State.REVERTING
        assert notified(service, held, "held") == 1
        assert len(reverts(world)) == 1


def test_what_was_not_healthy_before_the_merge_is_not_gone_back_to(tmp_path: Path) -> None:
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.set_slowness("api-production", 1000)
        world.argocd.delete_pods("api-production")
        world.argocd.fail_next_deployment("api-production", Reason.REFUSED)
        world.deploy("api", "api-v9.2.0")
        pull = service.until_reviewed()
        world.argocd.set_slowness("api-production", 1)
        world.github.merge(pull, "maria")
        hold = until_held(service, 1, Subject.PICTURE)
        assert "before the merge already" in hold.reason
        assert world.version("api", "production") == "api-v9.2.0"
        assert reverts(world) == []


@pytest.mark.parametrize("who", ["service", "person"])
def test_on_failure_hold_leaves_it_to_people(tmp_path: Path, who: str) -> None:
    """Held, quarantined and announced; then a person has it put back, or does so themselves."""
    policy = FAST + "        on_failure: hold\n"
    with quick_world(tmp_path, policy) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.fail_next_deployment("api-production")
        pull = service.release("api", "api-v9.2.0")
        hold = until_held(service, 1, Subject.FAILURE)
        assert "CrashLoopBackOff" in hold.reason
        assert reverts(world) == []
        target = service.target()
        assert target is not None
        assert [each.version for each in target.quarantine] == ["api-v9.2.0"]
        if who == "service":
            world.github.comment(pull, "/pilotage rollback api it crashes", "maria")
            reverted = service.until_state(1)
            assert reverted.state is State.REVERTED
            wanted = "rollback(api): revert production to v9.0.4 due to it crashes"
            assert reverts(world) == [wanted]
        else:
            world.deploy("api", "api-v9.0.4", "production", by="li")
            assert service.until_state(1).state is State.SUPERSEDED
            assert reverts(world) == []
        assert world.version("api", "production") == "api-v9.0.4"
        assert own_pulls(world) == [pull]


def test_on_failure_may_ask_for_a_pull_request(tmp_path: Path) -> None:
    policy = FAST + "        on_failure: revert-pull-request\n"
    with quick_world(tmp_path, policy) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.fail_next_deployment("api-production")
        service.release("api", "api-v9.2.0")
        reverted = service.until_state(1)
        assert reverted.state is State.REVERTED, service.story()
        revert = world.pulls()[1]
        assert revert.title.startswith("rollback(api): revert production to v9.0.4 due to ")
        assert revert.merged
        assert reverted.reverts[0].pull_request == revert.number
        assert len(own_pulls(world)) == 2


@pytest.mark.runbook("SYRF-10")
@pytest.mark.parametrize("when", ["rolling out", "confirmed"])
def test_rollback_by_comment(tmp_path: Path, when: str) -> None:
    """An allowed person's word is enough, also when it was confirmed; somebody else's is not."""
    policy = FAST if when == "confirmed" else changed(FAST, VERIFY_LONG)
    with quick_world(tmp_path, policy) as world, Service(world, tmp_path) as service:
        service.until_settled()
        pull = service.release("api", "api-v9.1.1")
        service.until_state(1, State.CONFIRMED if when == "confirmed" else State.VERIFYING)
        world.github.comment(pull, "/pilotage rollback api I do not like it", "li")
        service.until(lambda: len(pull.comments) >= 3, "li is answered")
        assert "may not use commands here" in pull.comments[-1].body
        assert reverts(world) == []
        world.github.comment(pull, "/pilotage rollback api orders are lost", "maria")
        reverted = service.until_state(1, State.REVERTED)
        wanted = "rollback(api): revert production to v9.0.4 due to orders are lost"
        assert reverts(world) == [wanted]
        commit = world.repository.git.log("-1", "main")[0]
        assert "Asked for by maria." in commit.message
        assert reverted.outcomes == {"api": Outcome.REVERTED}
        target = service.target()
        assert target is not None
        assert [(each.version, each.by) for each in target.quarantine] == [("api-v9.1.1", "maria")]
        assert reverted.merge is not None
        sha = reverted.merge.sha
        service.until(lambda: rollout_status(world, sha) == "failure", "the status tells it")
        assert len(stories(pull)) == 1
        assert deployments(world, sha)[0][-1] == "failure"
        assert own_pulls(world) == [pull]


# Verification ---------------------------------------------------------------------------------


@pytest.mark.runbook("SYRF-8")
@pytest.mark.runbook("SYRF-9")
def test_degraded_during_the_verification_is_put_back(tmp_path: Path) -> None:
    """Live is not enough: it must stay so for the policy's time."""
    with (
        quick_world(tmp_path, changed(FAST, VERIFY_LONG)) as world,
        Service(world, tmp_path) as service,
    ):
        service.until_settled()
        service.release("api", "api-v9.1.1")
        verifying = service.until_state(1, State.VERIFYING)
        assert verifying.live_at is not None
        world.argocd.break_pods("api-production", message="no space left on device")
        reverted = service.until_state(1)
        assert reverted.state is State.REVERTED
        assert "no space left on device" in reverts(world)[0]
        assert world.version("api", "production") == "api-v9.0.4"


@pytest.mark.runbook("SYRF-9")
@pytest.mark.parametrize("answered", ["well", "wrongly", "never"])
def test_an_http_check_decides_only_by_answers(tmp_path: Path, answered: str) -> None:
    """As expected: confirmed. Wrong three times in a row: put back. No answer: held, never put
    back, because nothing was learned of the version."""
    with Receiver(answer={"status": "ok", "checks": [{"state": "up"}]}) as health:
        check = (
            f"{{ http: '{health.url}/health', every: 0.1s, timeout: 1s,"
            " expect: { status: 200, json: { status: ok, 'checks[0].state': up } } }"
        )
        policy = changed(
            FAST,
            ("verification: { for: 0.2s }", f"verification: {{ for: 0.3s, checks: [{check}] }}"),
        )
        if answered == "never":
            policy = changed(policy, ("budgets: {", "budgets: { blind: 0.5s,"))
        if answered == "wrongly":
            health.answer = {"status": "ok", "checks": [{"state": "down"}]}
        health.silent = answered == "never"
        with quick_world(tmp_path, policy) as world, Service(world, tmp_path) as service:
            service.until_settled()
            pull = service.release("api", "api-v9.1.1")
            if answered == "never":
                hold = until_held(service, 1, Subject.BLIND)
                assert "no verdict" in hold.reason
                assert reverts(world) == []
                health.silent = False
                world.github.comment(pull, "/pilotage resume", "maria")
            ended = service.until_state(1)
            if answered == "wrongly":
                assert ended.state is State.REVERTED
                assert ended.checks[f"{health.url}/health"].bad_in_row >= 3
                assert "checks[0].state is" in reverts(world)[0]
            else:
                assert ended.state is State.CONFIRMED
                assert reverts(world) == []
                assert ended.live_at is not None
                assert ended.ended_at is not None
                assert (ended.ended_at - ended.live_at).total_seconds() >= 0.3


# What is in the way ---------------------------------------------------------------------------


def test_an_older_operation_that_blocks_the_revert_is_stopped_once(tmp_path: Path) -> None:
    """Argo CD goes on trying the refused version; the revert would wait behind it."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        keeps_trying(world, "api-production")
        world.argocd.fail_next_deployment("api-production", Reason.REFUSED)
        service.release("api", "api-v9.2.0")
        reverted = service.until_state(1)
        assert reverted.state is State.REVERTED, service.story()
        assert len(reverted.terminated) == 1
        stopped = [
            each.act.key
            for each in service.store.acts(reverted.id)
            if each.act.kind == "terminate_operation"
        ]
        assert len(stopped) == 1
        assert len(reverts(world)) == 1
        status = world.argocd.document("api-production")["status"]
        assert (status["sync"]["status"], status["health"]["status"]) == ("Synced", "Healthy")


def _break(world: World, what: str, *, down: bool) -> None:
    match what:
        case "Argo CD":
            world.argocd.unreachable(600 if down else 0)
        case "controller" if down:
            world.argocd.stop_controller()
        case "controller":
            world.argocd.start_controller()
        case _:
            world.argocd.faults.repo_server_down = down


@pytest.mark.parametrize("what", ["Argo CD", "controller", "repo-server"])
def test_what_cannot_be_seen_for_a_while_is_waited_for(tmp_path: Path, what: str) -> None:
    """Blind during the rollout: neither live nor failed, until it can be seen again."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        _break(world, what, down=True)
        world.github.merge(pull, "maria")
        rolling = service.until_state(1, State.ROLLING_OUT)
        assert rolling.hold is None
        ticks = len(service.ticks)
        service.until(lambda: len(service.ticks) >= ticks + 2, "it has looked some more")
        waiting = service.promotion(1)
        assert waiting is not None
        assert waiting.state is State.ROLLING_OUT
        assert waiting.outcomes == {"api": Outcome.ROLLING_OUT}
        _break(world, what, down=False)
        assert service.until_state(1).state is State.CONFIRMED, service.story()
        assert reverts(world) == []
        assert service.events("held") == []


@pytest.mark.parametrize("state", [State.ROLLING_OUT, State.VERIFYING])
def test_blind_for_too_long_is_held_and_announced(tmp_path: Path, state: State) -> None:
    """A person hears of it; when Argo CD is back and they say so, it goes on."""
    policy = changed(FAST, ("budgets: {", "budgets: { blind: 0.6s,"))
    if state is State.VERIFYING:
        policy = changed(policy, ("verification: { for: 0.2s }", "verification: { for: 4s }"))
    with quick_world(tmp_path, policy) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.deploy("api", "api-v9.1.1")
        pull = service.until_reviewed()
        if state is State.ROLLING_OUT:
            world.argocd.unreachable(600)
        world.github.merge(pull, "maria")
        service.until_state(1, state)
        world.argocd.unreachable(600)
        hold = until_held(service, 1, Subject.BLIND)
        assert "api-production" in hold.reason
        held = service.promotion(1)
        assert held is not None
        assert held.state is state
        assert notified(service, held, "held") == 1
        world.argocd.unreachable(0)
        world.github.comment(pull, "/pilotage resume", "maria")
        assert service.until_state(1).state is State.CONFIRMED
        assert reverts(world) == []


def test_a_git_server_that_is_down_for_a_while_only_delays(tmp_path: Path) -> None:
    """Fetches and the push of the revert are refused a few times: still one revert, then live."""
    with quick_world(tmp_path) as world, Service(world, tmp_path) as service:
        service.until_settled()
        world.argocd.fail_next_deployment("api-production")
        service.release("api", "api-v9.2.0")
        world.github.faults.answer(503, path="*cluster-gitops.git/*", times=6)
        reverted = service.until_state(1)
        assert reverted.state is State.REVERTED, service.story()
        assert len(reverts(world)) == 1
        assert world.github.faults.active() == []
        assert service.events("held") == []


# Messages -------------------------------------------------------------------------------------


def test_each_event_is_one_message_to_each_channel(tmp_path: Path) -> None:
    """Opened, held, reverted: once to Slack, and once as JSON whose signature holds; a receiver
    that is down is sent it again, and the other one is not."""
    secret = "of this channel"
    policy = changed(FAST, ("notify: [on-call]", "notify: [on-call, audit]"))
    policy += "        on_failure: hold\n"
    with Receiver() as slack, Receiver() as audit:
        given = {
            "channels": {
                "on-call": ChannelSettings(kind="slack", url=SecretStr(slack.url)),
                "audit": ChannelSettings(
                    kind="json", url=SecretStr(audit.url), secret=SecretStr(secret)
                ),
            }
        }
        audit.status = 503
        with (
            quick_world(tmp_path, policy) as world,
            Service(world, tmp_path, settings_given=given) as service,
        ):
            service.until_settled()
            world.argocd.fail_next_deployment("api-production")
            world.deploy("api", "api-v9.2.0")
            pull = service.until_open()
            service.until(lambda: len(audit.received) > 0, "it was tried")
            audit.status = 200
            refused = len(audit.received)
            service.until(lambda: len(audit.received) > refused, "it is sent again")
            service.tick_all(pull)
            service.until_ready(pull)
            world.github.merge(pull, "maria")
            until_held(service, 1, Subject.FAILURE)
            world.github.comment(pull, "/pilotage rollback it crashes", "maria")
            assert service.until_state(1).state is State.REVERTED
            world.argocd.faults.next_deployment.clear()
            service.release("api", "api-v9.2.1", count=2)
            assert service.until_state(2).state is State.CONFIRMED
            service.until(lambda: len(slack.received) >= 5, "the last message is there")
            service.until(lambda: len(audit.received) >= refused + 5, "the last message is there")
            events = [each.json["event"] for each in audit.received[refused:]]
            assert events == ["opened", "held", "reverted", "opened", "confirmed"]
            texts = [each.json["text"] for each in slack.received]
            assert len(texts) == 5
            for wanted, text in zip(
                ("v9.2.0", "is held", "reverted", "v9.2.1", "confirmed"), texts, strict=True
            ):
                assert wanted in text
            keys = [each.json["key"] for each in audit.received[refused:]]
            assert len(set(keys)) == 5
            for each in audit.received:
                digest = hmac.new(secret.encode(), each.body, hashlib.sha256).hexdigest()
                assert each.headers["x-pilotage-signature-256"] == f"sha256={digest}"
            assert len(own_commits(world)) == 1
