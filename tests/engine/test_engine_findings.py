"""What the simulation has found, each in the shortest story that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from types import MappingProxyType

import pytest

from pilotage.core.checklist import read_boxes
from pilotage.core.model import State, Target
from pilotage.store.database import Database
from tests.engine.simulated_argocd import Temper
from tests.engine.simulated_git import MAIN
from tests.engine.simulated_github import OWN, REPOSITORY, Pull
from tests.engine.simulated_world import ITEMS, TARGET, file_text, path, with_tick
from tests.engine.simulation import Simulation


class Calm(Simulation):
    """A world in which nothing goes wrong but what the test says."""

    def __init__(
        self, known: Database, further: Mapping[str, str] = MappingProxyType({}), /, **policy: str
    ) -> None:
        usual = {
            "together": "all",
            "roll": "always",
            "on_failure": "revert",
            "outside_gate": "note",
        }
        super().__init__(1, known, further, **(usual | policy))
        self.chaos.calm()
        self.world.protected = False
        self.replicas = ("a",)
        self.minutes(1)

    def minutes(self, count: float) -> None:
        self.go_on(self.chaos.now + timedelta(minutes=count))

    def until_open(self) -> Pull:
        self.world.release("staging", "api", "api-v1.1.0", "ci-bot")
        self.minutes(4)
        pull = self.world.our_open()
        assert pull is not None, self.story()
        return pull

    def until_ready(self) -> Pull:
        pull = self.until_open()
        self.world.tick(every=True)
        self.minutes(1)
        assert self.is_ready(pull), self.story()
        return pull

    def is_ready(self, pull: Pull) -> bool:
        return self.world.forge.is_ready(self.world.forge.head(pull))

    def on_its_way(self) -> list[str]:
        """The states of what is proposed and released."""
        target = self.store.read_target(TARGET)
        both = (target.proposal, target.release) if target is not None else ()
        return [promotion.state.value for promotion in both if promotion is not None]

    @property
    def target(self) -> Target:
        found = self.store.read_target(TARGET)
        assert found is not None
        return found


def test_a_rollback_right_after_the_merge_is_not_fought(known: Database) -> None:
    """Then and now compare equal; only the commits in between say that a person took it back."""
    simulation = Calm(known)
    simulation.until_ready()
    simulation.world.merge_ready()
    simulation.world.roll_back("api")
    simulation.minutes(20)
    quarantined = [(found.service, found.version) for found in simulation.target.quarantine]
    assert quarantined == [("api", "api-v1.1.0")], simulation.story()
    assert simulation.world.our_open() is None


def test_a_status_that_another_replica_wrote_is_written_over(known: Database) -> None:
    """What the first replica remembers of its own status is no longer there."""
    simulation = Calm(known)
    pull = simulation.until_ready()
    simulation.replicas = ("b",)
    simulation.world.operator("pause", "incident")
    simulation.minutes(1)
    assert not simulation.is_ready(pull)
    simulation.replicas = ("a",)
    simulation.world.operator("unpause", "")
    simulation.minutes(1)
    assert simulation.is_ready(pull), simulation.story()


def test_a_status_whose_answer_was_lost_is_not_remembered_as_it_was(known: Database) -> None:
    """It took hold: when the one from before is wanted again, it is not taken for granted."""
    simulation = Calm(known)
    pull = simulation.until_ready()
    head = pull.last_head[:7]
    simulation.chaos.scripted.append((f"status pilotage/ready of {head}: failure", "lost after"))
    simulation.world.operator("pause", "incident")
    simulation.go_on(simulation.chaos.now + timedelta(milliseconds=1))
    simulation.world.operator("unpause", "")
    simulation.minutes(1)
    assert simulation.is_ready(pull), simulation.story()


def test_why_it_was_closed_is_said_once_whatever_crashes(known: Database) -> None:
    simulation = Calm(known)
    pull = simulation.until_open()
    simulation.chaos.scripted.append((f"comment on {pull.number}", "crash after"))
    simulation.world.release("production", "api", "api-v1.1.0", "li")
    simulation.minutes(15)
    said = [
        remark.body
        for remark in simulation.world.forge.remarks.values()
        if remark.author == OWN and "pilotage:closed:" in remark.body
    ]
    assert len(said) == 1, simulation.story()
    assert not pull.open


def test_no_pull_request_is_opened_from_a_branch_that_is_somebody_elses(known: Database) -> None:
    """The name that the run gives is taken: the promotion takes another, and only that."""
    simulation = Calm(known)
    world = simulation.world
    world.release("staging", "api", "api-v1.1.0", "ci-bot")
    taken = f"production-promotion-{world.git.refs[MAIN][:7]}"
    world.git.refs[taken] = world.git.refs[MAIN]
    theirs = {path("production", "web"): file_text("production", "web", "web-v6.6.6")}
    world.git.commit(taken, theirs, "Theirs\n", "jane")
    simulation.minutes(5)
    assert [pull.branch for pull in world.ours()] == [f"{taken}-1"], simulation.story()


def test_an_argo_cd_out_of_reach_causes_no_busy_loop(known: Database) -> None:
    """The refresh that is due cannot be asked for; the next look keeps its time all the same."""
    simulation = Calm(known)
    simulation.until_open()
    simulation.world.release("staging", "api", "api-v1.2.0", "ci-bot")
    simulation.minutes(0.5)
    simulation.world.cluster.blind_until = simulation.chaos.now + timedelta(minutes=12)
    before = simulation.ticked
    simulation.minutes(10)
    assert simulation.ticked - before <= 40, simulation.story()


def test_a_command_is_not_refused_because_github_could_not_be_asked(known: Database) -> None:
    """Whether somebody may is unknown then: the command waits in the mail."""
    simulation = Calm(known)
    pull = simulation.until_open()
    simulation.chaos.odds = type(simulation.chaos.odds)()
    simulation.chaos.scripted.append(("GET permission of maria", "lost before"))
    simulation.world.forge.comment(pull.number, "/pilotage hold wait", "maria")
    simulation.minutes(3)
    assert simulation.target.proposal is not None
    assert simulation.target.proposal.hold is not None, simulation.story()
    assert simulation.world.forge.reactions
    assert all(found == {"+1"} for found in simulation.world.forge.reactions.values())


def test_a_replica_that_is_behind_does_not_take_the_merge_for_undone(known: Database) -> None:
    """It fetched a moment before the merge that the other replica has seen already."""
    simulation = Calm(known)
    simulation.until_ready()
    behind = simulation.processes["b"].outside.repository(REPOSITORY).trees
    behind.refresh(simulation.chaos.now, timedelta(0), None)
    simulation.world.merge_ready()
    simulation.store.wake([TARGET], simulation.chaos.now)
    while simulation.target.release is None:
        simulation.processes["a"].turn()
    simulation.replicas = ("b",)
    simulation.minutes(10)
    ended = simulation.store.promotion("syrf-production-1")
    assert ended is not None
    assert ended.state is State.CONFIRMED, simulation.story()


def test_a_rollback_to_what_is_being_released_is_not_fought_either(known: Database) -> None:
    """A newer version went out by hand over our release, and was taken back, unseen."""
    simulation = Calm(known)
    simulation.until_ready()
    simulation.world.merge_ready()
    simulation.minutes(1)
    assert simulation.target.release is not None
    simulation.world.release("staging", "api", "api-v1.2.0", "ci-bot")
    simulation.world.release("production", "api", "api-v1.2.0", "li")
    simulation.world.roll_back("api")
    simulation.minutes(20)
    quarantined = [(found.service, found.version) for found in simulation.target.quarantine]
    assert quarantined == [("api", "api-v1.2.0")], simulation.story()


def test_a_rollback_by_hand_beside_a_revert_that_waits_is_a_persons(known: Database) -> None:
    """Our pull request is merged after it and puts nothing back any more."""
    simulation = Calm(known, outside_gate="revert")
    world = simulation.world
    world.protected, world.github.merges_itself = True, False
    simulation.until_open()
    world.merge_anyway()
    simulation.minutes(2)
    waiting = [each for each in world.forge.pulls.values() if each.open]
    assert [each.marker for each in waiting] == ["revert:syrf-production-1"], simulation.story()
    world.roll_back("api")
    assert world.forge.merge(waiting[0], "maria") is not None
    simulation.minutes(20)
    quarantined = [
        (found.service, found.version, found.by) for found in simulation.target.quarantine
    ]
    assert quarantined == [("api", "api-v1.1.0", "li")], simulation.story()
    assert world.our_open() is None


def test_a_revert_that_people_merge_is_ours_although_github_is_out_of_reach(
    known: Database,
) -> None:
    """Whether it was merged is not known yet: nothing is taken for a rollback by hand."""
    simulation = Calm(known, outside_gate="revert")
    world = simulation.world
    world.protected, world.github.merges_itself = True, False
    simulation.until_open()
    world.merge_anyway()
    simulation.minutes(2)
    waiting = next(each for each in world.forge.pulls.values() if each.open)
    simulation.chaos.scripted.append((f"GET pull {waiting.number}", "lost before"))
    assert world.forge.merge(waiting, "maria") is not None
    simulation.minutes(20)
    assert not simulation.target.quarantine, simulation.story()


def test_two_services_released_by_hand_at_once_are_both_watched(known: Database) -> None:
    """One at a time, each to a verdict of its own."""
    simulation = Calm(known)
    world = simulation.world
    simulation.minutes(2)
    world.cluster.tempers["production", "web-v1.2.0"] = Temper.CRASHES
    world.release("production", "api", "api-v1.1.0", "li")
    world.release("production", "web", "web-v1.2.0", "maria")
    simulation.minutes(20)
    first = simulation.store.promotion("syrf-production-1")
    assert first is not None
    assert (first.state, first.services) == (State.CONFIRMED, ("api",)), simulation.story()
    held = simulation.target.release
    assert held is not None
    assert held.services == ("web",)
    assert held.hold is not None, simulation.story()
    assert "maria wrote it, so it stays" in held.hold.reason


def test_what_cannot_be_written_is_tried_less_and_less_often(known: Database) -> None:
    """Whatever is restarted meanwhile; once it has worked, the next failure is tried at once."""
    simulation = Calm(known)
    pull = simulation.until_open()
    simulation.chaos.scripted += [("status pilotage/ready", "lost before")] * 9
    simulation.world.tick(every=True)
    simulation.minutes(2)
    simulation.restart("a")
    simulation.minutes(12)
    lost = [line for line in simulation.chaos.log if "LOST before status pilotage/ready" in line]
    times = [datetime.fromisoformat(f"2026-11-20T{line.split()[0]}") for line in lost]
    pauses = [(after - before).total_seconds() for before, after in pairwise(times)]
    doubled = {
        2**failures: pause
        for failures, (line, pause) in enumerate(zip(lost, pauses, strict=False))
        if "RateLimited" not in line  # that says itself when
    }
    assert len(doubled) >= 3
    assert all(0 <= pause - wanted < 2 for wanted, pause in doubled.items()), doubled
    assert simulation.is_ready(pull)
    simulation.chaos.scripted.append(("status pilotage/ready", "lost before"))
    simulation.world.operator("pause", "incident")
    simulation.minutes(0.1)
    assert not simulation.is_ready(pull)


class Edited(Calm):
    """Both services wait in one pull request that people have ticked; its files get edited."""

    def __init__(self, known: Database, **policy: str) -> None:
        super().__init__(known, roll="until-touched", **policy)

    def until_both_are_ready(self) -> Pull:
        self.world.release("staging", "web", "web-v1.2.0", "ci-bot")
        self.world.release("staging", "api", "api-v1.1.0", "ci-bot")
        self.minutes(4)
        self.world.tick(every=True)
        self.minutes(1)
        pull = self.world.our_open()
        assert pull is not None
        assert self.is_ready(pull), self.story()
        return pull

    def comment_in(self, service: str) -> None:
        name = path("production", service)
        text = self.world.git.main().files[name]
        self.world.git.commit(MAIN, {name: f"{text}# seen\n"}, "Comment\n", "li")

    def merged(self, pull: Pull) -> dict[str, str]:
        """What production's files say after people have merged it."""
        self.world.tick(every=True)
        self.minutes(1)
        assert self.is_ready(pull), self.story()
        assert self.world.forge.merge(pull, "maria") is not None, self.story()
        assert "# seen" in self.world.git.main().files[path("production", "api")]
        return self.world.now_in("production")


def test_a_set_of_which_a_part_is_in_production_is_rebuilt_on_an_edited_base(
    known: Database,
) -> None:
    """Although the rest, as a set of its own, was refused once."""
    simulation = Edited(known)
    first = simulation.until_open()
    simulation.world.forge.close(first, "maria")
    pull = simulation.until_both_are_ready()
    simulation.world.release("production", "web", "web-v1.2.0", "li")
    simulation.comment_in("api")
    simulation.minutes(20)
    row = next(line for line in pull.body.splitlines() if line.startswith("| web |"))
    assert "unchanged" in row
    assert simulation.merged(pull) == {"api": "api-v1.1.0", "web": "web-v1.2.0"}


def test_a_set_that_staging_has_left_is_rebuilt_on_an_edited_base(known: Database) -> None:
    """What is proposed is what was recorded, not what staging runs today."""
    simulation = Edited(known)
    pull = simulation.until_both_are_ready()
    simulation.world.cluster.tempers["staging", "api-v1.3.0"] = Temper.CRASHES
    simulation.world.release("staging", "api", "api-v1.3.0", "ci-bot")
    simulation.comment_in("api")
    simulation.minutes(5)
    assert simulation.merged(pull) == {"api": "api-v1.1.0", "web": "web-v1.2.0"}


def test_a_set_that_a_newer_one_waits_for_is_rebuilt_on_an_edited_base(known: Database) -> None:
    simulation = Edited(known)
    pull = simulation.until_both_are_ready()
    simulation.world.release("staging", "api", "api-v1.3.0", "ci-bot")
    simulation.minutes(5)
    simulation.comment_in("api")
    simulation.minutes(2)
    proposal = simulation.target.proposal
    assert proposal is not None
    assert [each.after for each in proposal.waiting] == ["api-v1.3.0", "web-v1.2.0"]
    assert simulation.merged(pull) == {"api": "api-v1.1.0", "web": "web-v1.2.0"}


def test_what_a_person_released_beyond_the_set_is_not_taken_back_by_it(known: Database) -> None:
    """The branch stays in conflict, and the gate says why."""
    simulation = Edited(known)
    pull = simulation.until_both_are_ready()
    head = simulation.world.forge.head(pull)
    simulation.world.release("production", "web", "web-v1.4.0", "li")
    simulation.minutes(20)
    assert simulation.world.forge.head(pull) == head
    assert not simulation.is_ready(pull)
    proposal = simulation.target.proposal
    assert proposal is not None
    assert "web v1.2.0 is older than v1.4.0" in (proposal.ready or ""), simulation.story()


def test_a_tick_that_is_told_late_does_not_undo_a_person_who_took_it_back(known: Database) -> None:
    """As when GitHub's failed deliveries are sent again hours later: the history knew of both."""
    simulation = Calm(known)
    world, pull = simulation.world, simulation.until_open()
    kept: list[tuple[str, dict[str, object]]] = []
    deliver, world.forge.send = world.forge.send, lambda event, body: kept.append((event, body))
    world.tick(every=True)
    simulation.minutes(15)
    assert simulation.is_ready(pull), simulation.story()
    world.forge.edit(pull, pull.body.replace("- [x]", "- [ ]"), "maria")
    simulation.minutes(15)
    assert not simulation.is_ready(pull), simulation.story()
    world.forge.send = deliver
    deliver(*kept[0])
    simulation.minutes(15)
    assert not simulation.is_ready(pull), simulation.story()
    boxes = read_boxes(pull.body)
    assert not any(boxes[item] for item in ITEMS), pull.body


def test_a_tick_is_found_in_the_history_although_our_clock_is_fast(known: Database) -> None:
    """When it was made is told by GitHub's clock, and so is until when the history is known."""
    simulation = Calm(known)
    world, pull = simulation.world, simulation.until_open()
    world.forge.slow = timedelta(minutes=30)
    world.forge.send = lambda event, body: None
    for item in ("feature", "migrations"):
        world.forge.edit(pull, with_tick(pull.body, item), "maria")
        simulation.minutes(15)
    assert simulation.is_ready(pull), simulation.story()


@pytest.mark.parametrize("moment", ["observing", "open", "rolling_out", "verifying"])
def test_a_clock_that_is_put_back_stalls_nothing(moment: str, known: Database) -> None:
    """Every event is lost: what was to be done at a time that is over again is done now."""
    simulation = Calm(known)
    world, chaos = simulation.world, simulation.chaos
    world.forge.send = lambda event, body: None
    world.release("staging", "api", "api-v1.1.0", "ci-bot")
    ends = chaos.now + timedelta(minutes=60)
    while simulation.store.promotion("syrf-production-1") is None or simulation.on_its_way():
        world.tick(every=True)
        world.merge_ready()
        simulation.go_on(chaos.now + timedelta(seconds=10))
        if not chaos.ahead and moment in simulation.on_its_way():
            simulation.set_clock(-timedelta(hours=3))
        assert chaos.now < ends, simulation.story()
    assert chaos.ahead
    ended = simulation.store.promotion("syrf-production-1")
    assert ended is not None
    assert ended.state is State.CONFIRMED, simulation.story()


def test_an_application_that_a_person_made_anew_is_watched_when_a_person_says_so(
    known: Database,
) -> None:
    """Another one under its name is not taken for it, but nothing may wait for the old one for
    ever."""
    simulation = Calm(known)
    world = simulation.world
    world.cluster.application_set = ""
    pull = simulation.until_ready()
    world.merge_ready()
    simulation.minutes(0.5)
    world.cluster.born_again(world.cluster.running["api-production"], timedelta(seconds=20))
    simulation.minutes(8)
    release = simulation.target.release
    assert release is not None, simulation.story()
    assert release.hold is not None
    assert "another application has taken its name" in release.hold.reason
    world.forge.comment(pull.number, "/pilotage resume", "maria")
    simulation.minutes(20)
    ended = simulation.store.promotion(release.id)
    assert ended is not None
    assert ended.state is State.CONFIRMED, simulation.story()


def test_a_rollback_takes_back_what_stayed_of_a_release_that_was_partly_put_back(
    known: Database,
) -> None:
    """Not the one before it, whose version runs no more."""
    simulation = Calm(known, together="proven")
    world = simulation.world
    simulation.until_ready()
    world.merge_ready()
    simulation.minutes(20)
    world.cluster.tempers["production", "web-v1.2.0"] = Temper.CRASHES
    world.release("staging", "api", "api-v1.2.0", "ci-bot")
    world.release("staging", "web", "web-v1.2.0", "ci-bot")
    simulation.minutes(6)
    world.tick(every=True)
    simulation.minutes(1)
    world.merge_ready()
    simulation.minutes(20)
    assert world.now_in("production") == {"api": "api-v1.2.0", "web": "web-v1.0.0"}
    world.laws.rollback_asked = True
    world.operator("rollback", "api it is slow")
    simulation.minutes(10)
    assert world.now_in("production")["api"] == "api-v1.1.0", simulation.story()
    versions = {found.version for found in simulation.target.quarantine}
    assert versions == {"api-v1.2.0", "web-v1.2.0"}


def test_a_rollback_takes_back_the_release_that_ended_last(known: Database) -> None:
    """A person's own got its number while the proposal before it was still open."""
    simulation = Calm(known)
    world = simulation.world
    simulation.until_ready()
    world.release("production", "web", "web-v1.2.0", "li")
    simulation.minutes(20)
    world.tick(every=True)
    simulation.minutes(2)
    world.merge_ready()
    simulation.minutes(20)
    assert world.now_in("production") == {"api": "api-v1.1.0", "web": "web-v1.2.0"}
    world.laws.rollback_asked = True
    world.operator("rollback", "it is slow")
    simulation.minutes(10)
    running = world.now_in("production")
    assert running == {"api": "api-v1.0.0", "web": "web-v1.2.0"}, simulation.story()


def test_a_commit_that_nobody_judged_is_merged_past_a_closed_gate(known: Database) -> None:
    """Pushed and merged between two looks: what was judged was another head."""
    simulation = Calm(known, outside_gate="hold")
    world, pull = simulation.world, simulation.until_ready()
    unproven = {path("production", "web"): file_text("production", "web", "web-v6.6.6")}
    world.git.commit(pull.branch, unproven, "By hand\n", "li")
    world.merge_anyway()
    simulation.minutes(5)
    release = simulation.target.release
    assert release is not None, simulation.story()
    assert release.merge is not None
    assert "web v6.6.6" in (release.merge.outside_gate or ""), simulation.story()
    assert release.hold is not None


def test_what_cannot_be_seen_any_more_is_not_confirmed(known: Database) -> None:
    """It was live and its check holds, but Argo CD is out of reach when the time is over."""
    simulation = Calm(known)
    world = simulation.world
    simulation.until_ready()
    world.merge_ready()
    while simulation.on_its_way() != ["verifying"]:
        simulation.minutes(0.1)
    world.cluster.blind_until = simulation.chaos.now + timedelta(minutes=6)
    simulation.minutes(5.5)
    assert simulation.on_its_way() == ["verifying"], simulation.story()
    simulation.minutes(3)
    ended = simulation.store.promotion("syrf-production-1")
    assert ended is not None
    assert ended.state is State.CONFIRMED, simulation.story()


def test_a_branch_that_may_not_be_written_is_held_and_tried_again_when_it_is_resumed(
    known: Database,
) -> None:
    """Whoever is on call hears of it at once, and no pull request is asked for without a branch."""
    simulation = Calm(known)
    world, sent = simulation.world, simulation.processes["a"].outside.messages.sent  # type: ignore[attr-defined]
    allowed, world.git.protects = world.git.protects, lambda branch, sha: "GH006: not allowed"
    world.release("staging", "api", "api-v1.1.0", "ci-bot")
    while simulation.target.proposal is None or simulation.target.proposal.hold is None:
        simulation.minutes(0.1)
    simulation.minutes(0.1)
    assert [key for key in sent if "/held/" in key], simulation.story()
    assert "opening a pull request" not in simulation.story()
    world.git.protects = allowed
    world.operator("resume", "")
    simulation.minutes(2)
    assert world.our_open() is not None, simulation.story()


@pytest.mark.parametrize("continued", [True, False])
def test_another_default_branch_is_no_rollback_by_whoever_wrote_it(
    known: Database, continued: bool
) -> None:
    """One that was left behind has older values, and nobody took anything back; one that goes on
    from the old one may have a person's rollback, which is not fought."""
    simulation = Calm(known)
    world = simulation.world
    git = world.git
    git.refs["trunk"] = git.refs[MAIN]
    simulation.until_ready()
    world.merge_ready()
    simulation.minutes(20)
    assert simulation.on_its_way() == []
    if continued:
        git.refs["trunk"] = git.refs[MAIN]
        older = file_text("production", "api", "api-v1.0.0")
        git.commit("trunk", {path("production", "api"): older}, "Back\n", "li")
    git.default = "trunk"
    simulation.minutes(20)
    told = [event.kind for event in simulation.store.history(target=TARGET)]
    assert told.count("branch_switched") == 1, simulation.story()
    assert told.count("person_rolled_back") == int(continued)
    assert bool(simulation.target.quarantine) is continued
    assert simulation.target.running["api"] == "api-v1.0.0"
    assert simulation.target.base_branch == "trunk"
