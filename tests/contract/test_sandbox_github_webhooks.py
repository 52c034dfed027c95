"""Webhooks out: shapes, signatures, order, and what may go wrong on the way."""

from __future__ import annotations

import uuid

import pytest

from tests.contract.github_world import Receiver, World


@pytest.fixture
def hooked(world: World, receiver: Receiver) -> Receiver:
    world.github.add_webhook(world.repo, receiver.url, "secret")
    world.github.webhooks.drain()
    receiver.received.clear()
    return receiver


def payloads(world: World, receiver: Receiver, name: str) -> list:  # type: ignore[type-arg]
    assert world.github.webhooks.drain()
    return [
        r.json for r in receiver.received if name in (r.event, f"{r.event}.{r.json.get('action')}")
    ]


def test_push_tells_commits_files_and_pusher(world: World, hooked: Receiver) -> None:
    before = world.repo.git.branch("main")
    after = world.github.commit(
        world.repo, "main", {"README.md": "x", "new.txt": "y"}, "two files", "maria"
    )
    (told,) = payloads(world, hooked, "push")
    assert (told["ref"], told["before"], told["after"]) == ("refs/heads/main", before, after)
    assert (told["created"], told["deleted"], told["forced"]) == (False, False, False)
    (commit,) = told["commits"]
    assert (commit["added"], commit["modified"]) == (["new.txt"], ["README.md"])
    assert told["pusher"]["name"] == told["sender"]["login"] == "maria"
    assert told["repository"]["full_name"] == "acme/config"


def test_forced_created_and_deleted_pushes_say_so(world: World, hooked: Receiver) -> None:
    first = world.branch("topic")
    main = world.repo.git.branch("main")
    world.github.commit(world.repo, "topic", {"z": "z"}, "rewritten", "li", parent=main, force=True)
    world.github.delete_branch(world.repo, "topic", "li")
    told = payloads(world, hooked, "push")
    assert [(t["created"], t["forced"], t["deleted"]) for t in told] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
    assert told[1]["before"] == first
    assert told[2]["after"] == "0" * 40


def test_pull_request_events_in_the_order_of_happening(world: World, hooked: Receiver) -> None:
    world.branch("topic")
    pull = world.github.open_pull_request_as("maria", world.repo, "topic", "t", "- [ ] one")
    world.github.label(pull, ["x"], "li")
    world.github.tick(pull, "one", "li")
    world.github.comment(pull, "hello", "li")
    world.github.approve(pull, "li")
    world.branch("topic", "more\n")
    world.github.close(pull, "li")
    world.github.reopen(pull, "maria")
    world.github.merge(pull, "li")
    assert world.github.webhooks.drain()
    assert hooked.events() == [
        "push",
        "pull_request.opened",
        "pull_request.labeled",
        "pull_request.edited",
        "issue_comment.created",
        "pull_request_review.submitted",
        "push",
        "pull_request.synchronize",
        "pull_request.closed",
        "pull_request.reopened",
        "push",
        "pull_request.closed",
    ]
    edited, closed = hooked.received[3].json, hooked.received[-1].json
    assert edited["changes"]["body"]["from"] == "- [ ] one"
    assert edited["pull_request"]["body"] == "- [x] one"
    assert edited["sender"]["login"] == "li"
    assert closed["pull_request"]["merged"] is True
    assert closed["pull_request"]["merge_commit_sha"] == world.repo.git.branch("main")
    assert hooked.received[7].json["after"] == hooked.received[6].json["after"]


def test_deployment_status_carries_what_was_deployed(world: World, hooked: Receiver) -> None:
    sha = world.repo.git.branch("main") or ""
    world.github.deployment_status(
        world.repo, sha, "staging", "success", by="maria", ref="main", payload={"api": "1.1.0"}
    )
    (told,) = payloads(world, hooked, "deployment_status")
    deployment = told["deployment"]
    assert (deployment["sha"], deployment["ref"]) == (sha, "main")
    assert (deployment["environment"], deployment["payload"]) == ("staging", {"api": "1.1.0"})
    assert told["deployment_status"]["state"] == "success"


def test_inactive_deployments_are_not_told(world: World, hooked: Receiver) -> None:
    for sha in (world.branch("one"), world.branch("two")):
        world.github.deployment_status(world.repo, sha, "staging", "success", by="maria")
    told = payloads(world, hooked, "deployment_status")
    assert [t["deployment_status"]["state"] for t in told] == ["success", "success"]


def test_workflow_run_has_no_conclusion_before_it_is_completed(
    world: World, hooked: Receiver
) -> None:
    sha = world.repo.git.branch("main") or ""
    run = world.github.workflow_run(world.repo, "CI", sha, "failure", by="maria")
    world.github.rerun_workflow(world.repo, run, "success")
    told = payloads(world, hooked, "workflow_run")
    said = [
        (t["action"], t["workflow_run"]["conclusion"], t["workflow_run"]["run_attempt"])
        for t in told
    ]
    assert said == [
        ("requested", None, 1),
        ("completed", "failure", 1),
        ("requested", None, 2),
        ("completed", "success", 2),
    ]
    assert len({t["workflow_run"]["id"] for t in told}) == 1


def test_merge_group_names_the_head_to_check(world: World, hooked: Receiver) -> None:
    world.branch("topic")
    pull = world.github.open_pull_request_as("maria", world.repo, "topic", "t")
    base = pull.base_sha
    sha = world.github.enqueue(pull, "maria")
    (told,) = payloads(world, hooked, "merge_group")
    assert told["action"] == "checks_requested"
    assert told["merge_group"]["head_sha"] == sha
    assert told["merge_group"]["head_ref"] == (
        f"refs/heads/gh-readonly-queue/main/pr-{pull.number}-{base}"
    )


def test_status_event_names_the_branches_at_the_commit(world: World, hooked: Receiver) -> None:
    sha = world.repo.git.branch("main") or ""
    world.github.status(world.repo, sha, "ci", "success", "maria", "fine")
    (told,) = payloads(world, hooked, "status")
    assert (told["sha"], told["context"], told["state"]) == (sha, "ci", "success")
    assert [b["name"] for b in told["branches"]] == ["main"]


# On the way ------------------------------------------------------------------------------


def test_redelivery_keeps_id_and_body(world: World, hooked: Receiver) -> None:
    world.branch("topic")
    assert world.github.webhooks.drain()
    delivery = world.github.webhooks.log[-1]
    world.github.webhooks.redeliver(delivery.id)
    assert world.github.webhooks.drain()
    first, again = hooked.received
    assert str(uuid.UUID(first.guid)) == first.guid
    assert (again.guid, again.body) == (first.guid, first.body)
    assert world.github.webhooks.log[-1].redelivery


def test_dropped_deliveries_can_be_redelivered(world: World, hooked: Receiver) -> None:
    world.github.webhooks.drop("push")
    world.branch("topic")
    assert world.github.webhooks.drain()
    assert hooked.received == []
    lost = world.github.webhooks.log[-1]
    assert lost.dropped
    world.github.webhooks.redeliver(lost.id)
    assert world.github.webhooks.drain()
    assert hooked.received[0].guid == lost.guid


def test_doubled_deliveries_share_their_id(world: World, hooked: Receiver) -> None:
    world.github.webhooks.double("push")
    world.branch("topic")
    assert world.github.webhooks.drain()
    assert len(hooked.received) == 2
    assert len({r.guid for r in hooked.received}) == 1


def test_order_can_be_reversed(world: World, hooked: Receiver) -> None:
    world.github.webhooks.reverse(2, "push")
    one, two = world.branch("one"), world.branch("two")
    assert world.github.webhooks.drain()
    assert [r.json["after"] for r in hooked.received] == [two, one]


def test_nobody_there_is_noted_and_not_tried_again(world: World, receiver: Receiver) -> None:
    receiver.close()
    world.github.add_webhook(world.repo, receiver.url, "secret")
    assert world.github.webhooks.drain()
    (only,) = world.github.webhooks.log
    assert only.status_code is None
    assert "Connect" in (only.error or "")


def test_payload_over_25_megabytes_is_not_sent(world: World, hooked: Receiver) -> None:
    (hook,) = world.repo.hooks
    world.github.webhooks.send(hook, "push", {"text": "x" * 25 * 1024 * 1024})
    assert world.github.webhooks.drain()
    assert hooked.received == []
    assert world.github.webhooks.log[-1].dropped


def test_late_deliveries_do_not_hold_up_the_end(world: World, hooked: Receiver) -> None:
    world.github.webhooks.delay(3600)
    world.branch("topic")
    assert not world.github.webhooks.drain(0.05)
    world.github.stop()
    assert hooked.received == []


def test_only_the_events_asked_for_are_sent(world: World, receiver: Receiver) -> None:
    world.github.add_webhook(world.repo, receiver.url, "secret", ["deployment_status"])
    world.branch("topic")
    assert world.github.webhooks.drain()
    assert receiver.events() == ["ping"]
