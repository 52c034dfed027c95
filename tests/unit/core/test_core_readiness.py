"""What is said of everything outside, from facts alone: levels, words and next steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from pilotage.core.application import ApplicationRef
from pilotage.core.config.load import load_config
from pilotage.core.config.policy import Config
from pilotage.core.discovery.declared import Branch, Declared, DeclaredApplication
from pilotage.core.discovery.find import Found, Match
from pilotage.core.discovery.reading import Misses, Near
from pilotage.core.forge import (
    FREE,
    READY,
    Access,
    BranchRules,
    Bypass,
    Need,
    Protection,
    RuleSet,
)
from pilotage.core.readiness.argocd import (
    EnvironmentFacts,
    ServerFacts,
    judge_environment,
    judge_server,
    judge_unnamed,
)
from pilotage.core.readiness.branch import Ways, judge_branch, ways_of
from pilotage.core.readiness.findings import (
    Checked,
    Finding,
    GitFacts,
    Level,
    Unknown,
    judge_git,
    targets_of,
)
from pilotage.core.readiness.forge import ForgeFacts, judge_forge, named

BOT = Access("pilotage-bot", "main", (), merge_methods=frozenset({"merge", "squash", "rebase"}))
APP = replace(BOT, identity="pilotage[bot]", app=7)
GATE = replace(FREE, required_contexts={READY: None})
PULLS = replace(GATE, pull_request_required=True)


def config(policy: str = "", mode: str = "propose") -> Config:
    return load_config(
        f"""\
version: 1
pipelines:
  shop:
    mode: {mode}
    files: "{{environment}}/{{service}}.yaml"
    promote: [ copy: tag ]
    services: {{ api: {{ repository: acme/api }} }}
    environments:
      staging:
      production:
        from: staging
{policy}""",
        {},
    )


def bound(rules: BranchRules, bypass: Bypass = Bypass.NEVER, known: bool = True) -> Protection:
    return Protection((RuleSet(rules, bypass),), known)


def lines(found: Iterable[Finding], *levels: Level) -> str:
    return "\n".join(
        f"{each.about}: {each.text} -> {each.next_step}"
        for each in found
        if not levels or each.level in levels
    )


# Reverts


WAYS: Mapping[str, tuple[BranchRules, tuple[str, ...], tuple[str, ...]]] = {
    "no rules": (FREE, (), ()),
    "only the gate": (GATE, (), ()),
    "pull requests": (PULLS, ("pull requests are required",), ()),
    "approvals": (
        replace(PULLS, approvals=2),
        ("pull requests are required",),
        ("somebody must approve",),
    ),
    "another check": (
        replace(FREE, required_contexts={READY: None, "ci": None}),
        ("ci is required, which a revert does not have",),
        ("ci is required, which a revert does not have",),
    ),
    "ready of another App": (
        replace(FREE, required_contexts={READY: 9}),
        (f"{READY} counts only from App 9",),
        (f"{READY} counts only from App 9",),
    ),
    "squash only": (
        replace(PULLS, merge_methods=frozenset({"squash"})),
        ("pull requests are required",),
        (),
    ),
    "linear history": (
        replace(GATE, others=("required_linear_history",)),
        (),
        (),
    ),
    "signatures": (
        replace(GATE, others=("required_signatures",)),
        ("commits must be signed",),
        ("commits must be signed",),
    ),
    "a merge queue": (
        replace(GATE, others=("merge_queue",)),
        ("changes go through a merge queue",),
        ("changes go through a merge queue",),
    ),
    "a rule that nobody has heard of": (
        replace(GATE, others=("moon_phase",)),
        ("the rule moon_phase",),
        ("the rule moon_phase",),
    ),
}


@pytest.mark.parametrize("rules", WAYS.values(), ids=WAYS)
def test_what_stands_in_the_way_of_a_revert(
    rules: tuple[BranchRules, tuple[str, ...], tuple[str, ...]],
) -> None:
    assert ways_of(bound(rules[0]), BOT) == Ways(rules[1], rules[2])


@pytest.mark.parametrize(
    ("bypass", "push", "merge"),
    [
        (Bypass.ALWAYS, 0, 0),
        (Bypass.PULL_REQUESTS, 1, 0),
        (Bypass.NEVER, 1, 1),
        (Bypass.UNKNOWN, 1, 1),
    ],
)
def test_rules_that_the_service_passes_stand_in_no_way(
    bypass: Bypass, push: int, merge: int
) -> None:
    rules = replace(PULLS, approvals=1)
    ways = ways_of(bound(rules, bypass), BOT)
    assert (len(ways.push), len(ways.merge)) == (push, merge)
    assert ways.certain is (bypass is not Bypass.UNKNOWN)


def test_an_administrator_passes_where_they_are_let() -> None:
    protection = Protection((RuleSet(PULLS, Bypass.NEVER, administrators_pass=True),))
    assert ways_of(protection, replace(BOT, administrator=True)).push == ()
    assert ways_of(protection, BOT).push != ()


ON_FAILURE = (
    ("revert", FREE, Level.OK, "a revert is a commit, pushed to main"),
    ("revert", PULLS, Level.NOTE, "a pull request, merged at once: pull requests are required"),
    ("revert", replace(PULLS, approvals=1), Level.PROBLEM, "waits until a person merges it"),
    ("revert-pull-request", PULLS, Level.OK, "a revert is a pull request, merged at once"),
    (
        "revert-pull-request",
        replace(PULLS, approvals=1),
        Level.PROBLEM,
        "waits until a person merges it: somebody must approve",
    ),
    ("hold", replace(PULLS, approvals=1), Level.OK, "what fails is held for a person"),
)


@pytest.mark.parametrize(("on_failure", "rules", "level", "text"), ON_FAILURE)
def test_the_policy_s_revert_against_the_rules(
    on_failure: str, rules: BranchRules, level: Level, text: str
) -> None:
    targets = targets_of(config(f"        on_failure: {on_failure}\n"))
    found = judge_branch(bound(rules), BOT, "main", targets)
    (revert,) = [each for each in found if each.about == "shop/production"]
    assert (revert.level, text in revert.text) == (level, True), revert


def test_a_revert_that_would_fail_is_a_note_while_nothing_is_promoted() -> None:
    targets = targets_of(config(mode="observe"))
    rules = bound(replace(PULLS, approvals=1))
    assert Level.PROBLEM not in {each.level for each in judge_branch(rules, BOT, "main", targets)}


def test_rules_that_may_not_be_read_prove_nothing() -> None:
    targets = targets_of(config())
    found = list(judge_branch(bound(GATE, known=False), BOT, "main", targets))
    assert "as far as the rules may be read" in lines(found, Level.NOTE)
    found = list(judge_branch(bound(PULLS, Bypass.UNKNOWN), BOT, "main", targets))
    assert "GitHub does not say whether its rulesets bind the service" in lines(found, Level.NOTE)
    (problem,) = judge_branch(Unknown("no answer", "wait"), BOT, "main", targets)
    assert (problem.level, problem.next_step) == (Level.PROBLEM, "wait")


# The gate


GATES: tuple[tuple[dict[str, int | None], Access, bool, Level, str], ...] = (
    ({}, BOT, True, Level.PROBLEM, "is not required"),
    ({}, BOT, False, Level.NOTE, "is not among the rules that may be read"),
    ({READY: None}, BOT, True, Level.OK, "is required"),
    ({READY: None}, APP, True, Level.NOTE, "all who may write can open the gate"),
    ({READY: 7}, APP, True, Level.OK, "is required from App 7"),
    ({READY: 8}, APP, True, Level.PROBLEM, "counts only from App 8"),
    ({READY: 7}, BOT, True, Level.PROBLEM, "counts only from App 7, and pilotage-bot is not that"),
)


@pytest.mark.parametrize(("contexts", "access", "known", "level", "text"), GATES)
def test_whether_the_branch_asks_for_ready_is_told(
    contexts: dict[str, int | None], access: Access, known: bool, level: Level, text: str
) -> None:
    rules = bound(replace(FREE, required_contexts=contexts), known=known)
    gate, *_ = judge_branch(rules, access, "main", targets_of(config()))
    assert (gate.about, gate.level) == ("branch main", level)
    assert text in gate.text


# The account and the people


def needs(**granted: bool | None) -> Access:
    return replace(
        BOT, needs=tuple(Need(f"{name}: write", "do it", has) for name, has in granted.items())
    )


def test_what_is_granted_lacking_and_not_told() -> None:
    access = needs(contents=True, statuses=False, deployments=None, administration=False)
    found = list(judge_forge(ForgeFacts(access), config()))
    assert "GitHub: has contents: write -> " in lines(found, Level.OK)
    assert lines(found, Level.PROBLEM).startswith("GitHub: lacks statuses: write, to do it")
    notes = lines(found, Level.NOTE)
    assert "lacks administration: write, to do it -> only this check needs it" in notes
    assert "does not say whether it has deployments: write" in notes
    observing = list(judge_forge(ForgeFacts(access), config(mode="observe")))
    assert lines(observing, Level.PROBLEM) == ""


def test_members_are_only_asked_for_where_a_team_is_named() -> None:
    access = needs(members=False)
    assert "members" not in lines(judge_forge(ForgeFacts(access), config()))
    facts = ForgeFacts(access, teams={"leads": Unknown("403")})
    policy = "        reviewers: { teams: [leads] }\n"
    assert "lacks members" in lines(judge_forge(facts, config(policy)), Level.PROBLEM)


def test_an_account_that_cannot_be_asked_says_one_thing() -> None:
    facts = ForgeFacts(Unknown("GitHub answered 401", "check the token"))
    (problem,) = judge_forge(facts, config())
    assert problem == Finding(Level.PROBLEM, "GitHub", "GitHub answered 401", "check the token")


def test_an_archived_repository_and_no_webhook() -> None:
    facts = ForgeFacts(replace(BOT, archived=True), webhook_secret=False)
    found = list(judge_forge(facts, None))
    assert "archived: nothing can be written" in lines(found, Level.PROBLEM)
    assert "no webhook_secret" in lines(found, Level.NOTE)


PEOPLE = """\
        labels: [review, hot]
        reviewers: { users: [ana], teams: [leads] }
        assignees: [bo]
        commands: { users: [Pilotage-Bot] }
        gates: { approvers: { teams: [leads], users: [ana], count: 3 } }
"""


def test_everybody_who_is_named() -> None:
    found = named(config(PEOPLE))
    assert found.people == {
        "ana": ("approver of shop/production", "reviewer of shop/production"),
        "Pilotage-Bot": ("commander of shop/production",),
        "bo": ("assignee of shop/production",),
    }
    assert set(found.teams) == {"leads"}
    assert (found.sources, found.labels) == (("acme/api",), ("review", "hot"))


def test_people_teams_labels_and_repositories() -> None:
    facts = ForgeFacts(
        BOT,
        labels=frozenset({"Review"}),
        people={"ana": True, "bo": False, "Pilotage-Bot": Unknown("no answer", "again")},
        teams={"leads": frozenset({"Ana", "cy", "pilotage-bot"})},
        sources={"acme/api": Unknown("404", missing=True)},
    )
    found = list(judge_forge(facts, config(PEOPLE)))
    problems, notes = lines(found, Level.PROBLEM), lines(found, Level.NOTE)
    assert "no label hot yet" in notes
    assert "Pilotage-Bot cannot be looked up: no answer -> again" in notes
    assert "cannot read acme/api" in notes
    assert "bo, assignee of shop/production, has no access" in problems
    assert "shop/production: 3 must approve, and only 2 can" in problems
    assert "pilotage-bot is named as commander of shop/production, approver of " in problems
    assert "teams are there: leads (3)" in lines(found, Level.OK)


@pytest.mark.parametrize(
    ("members", "level", "text"),
    [
        (Unknown("404", missing=True), Level.PROBLEM, "no team leads"),
        (Unknown("no answer"), Level.NOTE, "the team leads cannot be looked up"),
        (frozenset[str](), Level.PROBLEM, "has no members"),
    ],
)
def test_a_team_of_nobody_and_one_that_is_not_seen(
    members: frozenset[str] | Unknown, level: Level, text: str
) -> None:
    facts = ForgeFacts(BOT, teams={"leads": members})
    policy = "        reviewers: { teams: [leads] }\n"
    assert text in lines(judge_forge(facts, config(policy)), level)


# git


CHECKED = Checked(".pilotage.yaml", "1" * 40, "version: 1\n")
CLONE = GitFacts("github.com/acme/gitops", "acme/gitops", ("acme/gitops",), CHECKED, "main")
HEAD = "2" * 40


@pytest.mark.parametrize(
    ("facts", "level", "text"),
    [
        (replace(CLONE, origin=""), Level.NOTE, "the clone has no origin"),
        (replace(CLONE, repository=None), Level.PROBLEM, "the settings name acme/gitops"),
        (replace(CLONE, head=None), Level.PROBLEM, "has no branch main"),
        (replace(CLONE, head=Unknown("refused")), Level.PROBLEM, "cannot read the repository"),
        (replace(CLONE, head=HEAD, pushed=CHECKED.text), Level.OK, "has the configuration that"),
        (replace(CLONE, head=HEAD, pushed="x"), Level.NOTE, "main at 2222222 has another"),
        (replace(CLONE, head=HEAD), Level.NOTE, "main at 2222222 has no .pilotage.yaml"),
        (replace(CLONE, head=HEAD, pushed=Unknown("slow")), Level.PROBLEM, "cannot be read: slow"),
    ],
)
def test_the_clone_and_the_branch(facts: GitFacts, level: Level, text: str) -> None:
    assert text in lines(judge_git(facts), level)


# Argo CD


MAIN = Branch("github.com/acme/gitops", "main")


def application(name: str, **more: Any) -> DeclaredApplication:
    return replace(DeclaredApplication(ApplicationRef("main", "p", "argocd", name), ()), **more)


def environment(*names: str, **more: Any) -> EnvironmentFacts:
    found = {name: Found((Match(name, "f.yaml", "reads it"),)) for name in names}
    facts = EnvironmentFacts(
        "shop/production", "main", MAIN, found, {name: (name,) for name in names}, {}, {}
    )
    return replace(facts, **more)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (ServerFacts("main", Unknown("no answer", "look")), "no answer -> look"),
        (ServerFacts("main", "v3", Unknown("401")), "401"),
        (ServerFacts("main", "v3", "bot", Unknown("403")), "403"),
        (ServerFacts("main", "v3", "bot"), "shows no application to this token"),
    ],
)
def test_a_server_says_the_first_thing_that_is_wrong(facts: ServerFacts, text: str) -> None:
    (problem,) = [each for each in judge_server(facts) if each.level is Level.PROBLEM]
    assert problem.about == "Argo CD main"
    assert text in lines([problem])


def test_application_sets_that_cannot_be_seen_are_a_note() -> None:
    facts = ServerFacts("main", "v3", "bot", Declared((application("api"),), (), "403"))
    assert "ApplicationSets cannot be seen: 403" in lines(judge_server(facts), Level.NOTE)


def test_a_server_without_settings_is_named_with_the_nearest() -> None:
    assert (
        judge_unnamed("shop/production", "mian", ["main", "eu"]).next_step == "did you mean main?"
    )
    assert "they know none" in judge_unnamed("shop/production", "main", []).text


def test_all_applications_are_there() -> None:
    found = list(judge_environment(environment("api"), Declared((application("api"),))))
    assert {each.level for each in found} == {Level.OK}
    assert "1 application found, reading from the branch: api" in lines(found)


def test_those_that_are_missing_are_named_and_then_counted() -> None:
    names = [f"service-{number}" for number in range(8)]
    found = list(judge_environment(environment(*names), Declared((application("service-1x"),))))
    problems = lines(found, Level.PROBLEM)
    assert problems.count("shows no application") == 5
    assert "nor 3 further applications" in problems
    assert "did you mean service-1x?" in problems


@pytest.mark.parametrize(
    ("near", "level", "text"),
    [
        (Near.OTHER_BRANCH, Level.PROBLEM, "api, web: targetRevision is v1, and promotions go to"),
        (Near.OTHER_REPOSITORY, Level.PROBLEM, "api, web: repoURL is v1, and promotions go to"),
        (Near.SAME_FOLDER, Level.NOTE, "api, web: not seen to read the files of its service"),
        (Near.ELSEWHERE, Level.NOTE, "api, web: not seen to read the files of its service"),
    ],
)
def test_only_another_branch_or_repository_is_certain(near: Near, level: Level, text: str) -> None:
    """Those of one kind share a line."""
    miss = Misses("reads something", near, elsewhere="v1")
    facts = environment("api", "web", misses={"api": miss, "web": miss})
    found = list(judge_environment(facts, Declared((application("api"), application("web")))))
    assert text in lines(found, level)
    assert "found, reading from the branch" not in lines(found)


SYNCING: tuple[tuple[dict[str, bool], dict[str, bool | Unknown], Level, str], ...] = (
    ({"automated": False}, {"api": True}, Level.NOTE, "Pilotage asks for the sync"),
    ({"automated": False}, {"api": Unknown("?")}, Level.NOTE, "Pilotage asks for the sync"),
    ({"automated": False}, {"api": False}, Level.PROBLEM, "may not sync api: nobody does"),
    ({}, {"api": False}, Level.NOTE, "the token may not sync api"),
    ({}, {"api": True}, Level.OK, "automatic sync is on, and the token may sync"),
    ({"prune": False}, {"api": True}, Level.NOTE, "prune is off for api"),
    ({"self_heal": False}, {"api": True}, Level.NOTE, "selfHeal is off for api"),
)


@pytest.mark.parametrize(("policy", "may", "level", "text"), SYNCING)
def test_who_has_to_sync_is_told(
    policy: dict[str, bool], may: dict[str, bool | Unknown], level: Level, text: str
) -> None:
    facts = environment("api", may_sync=may)
    found = list(judge_environment(facts, Declared((application("api", **policy),))))
    assert text in lines(found, level)


def test_paths_that_do_not_cover_a_file_are_noted() -> None:
    match = Match("api", "f.yaml", "reads it")
    facts = environment("api", found={"api": Found((match,), uncovered=(match,))})
    found = judge_environment(facts, Declared((application("api"),)))
    assert "manifest-generate-paths of api do not cover" in lines(found, Level.NOTE)
