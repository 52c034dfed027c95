"""What Argo CD is asked about a branch's head, what is kept of its answers, and what they mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from pilotage.core.application import (
    Application,
    CannotSee,
    Gone,
    Look,
    RenderAt,
    Rendered,
    RenderFailed,
    Rendering,
    ResourceKey,
    Source,
)
from pilotage.core.artifacts import Artifacts
from pilotage.core.change import Part, Write
from pilotage.core.decide import decide
from pilotage.core.discovery.find import Found, Match
from pilotage.core.gates import Gate, Verdict, judge_gates
from pilotage.core.manifests import (
    RIGHTS,
    Answer,
    DoesNotRender,
    NotAsked,
    NotSeen,
    Question,
    Render,
    Renders,
    answer,
)
from pilotage.core.model import Promotion
from pilotage.core.rendered import Wanted, question, remembered, wanted
from pilotage.core.rollout.watch import Expectation, Route, ThroughFiles, ThroughSpec
from pilotage.core.snapshot import Known, Sight
from pilotage.store.documents import PROMOTION
from tests.unit.core.worlds import (
    BASE,
    HEAD,
    NOW,
    OTHER_HEAD,
    SOURCE,
    application,
    body_of,
    command,
    commanded,
    opened,
    production,
    proposal,
)

ASKED = production(gates="{ artifacts: {} }")
OFF = production(gates="{ artifacts: { render: false } }")
AUTO = production(gates="{ artifacts: {} }", applications="auto")
API, WEB = "api-production", "web-production"
URL = "https://github.com/acme/gitops"
HELM = "failed to execute helm template command: failed running helm: `helm template . --x` "
FAILED = RenderFailed(f"{HELM}failed exit status 1: Error: line 1: no colon")
UNFETCHED = RenderFailed("failed to list refs: Get https://git.example: connection refused")


def rendering(**digests: str) -> Rendered:
    return Rendered({ResourceKey("", "ConfigMap", "", name): d for name, d in digests.items()})


ANSWERS: dict[str, tuple[Rendering, Rendering, Answer]] = {
    "one changed, one new, one gone, one the same": (
        rendering(a="2", new="1", same="1"),
        rendering(a="1", gone="1", same="1"),
        Renders(3, 3),
    ),
    "nothing changes": (rendering(a="1"), rendering(a="1"), Renders(1, 0)),
    "what changes is not known": (rendering(a="1"), CannotSee("timeout"), Renders(1)),
    "the base did not render": (rendering(a="1"), FAILED, Renders(1)),
    "the branch breaks it": (FAILED, rendering(), DoesNotRender("line 1: no colon")),
    "the base is broken too": (FAILED, FAILED, DoesNotRender("line 1: no colon", at_base=True)),
    "the base is not seen": (FAILED, CannotSee("503"), DoesNotRender("line 1: no colon")),
    "the base is not fetched": (FAILED, UNFETCHED, DoesNotRender("line 1: no colon")),
    "the commit is not fetched": (
        UNFETCHED,
        rendering(),
        NotSeen(UNFETCHED.message),
    ),
    "a generator's word is no fault of git": (
        RenderFailed(f"{HELM}failed exit status 1: Error: unable to resolve it"),
        rendering(),
        DoesNotRender("unable to resolve it"),
    ),
    "nobody answers": (CannotSee("timeout"), CannotSee("timeout"), NotSeen("timeout")),
    "no right": (
        CannotSee("403: permission denied", unauthorised=True),
        CannotSee(""),
        NotSeen("403: permission denied", RIGHTS),
    ),
}


@pytest.mark.runbook("VAPORA-6")
@pytest.mark.parametrize(("head", "base", "said"), ANSWERS.values(), ids=ANSWERS)
def test_two_renderings_say_whether_the_branch_is_at_fault(
    head: Rendering, base: Rendering, said: Answer
) -> None:
    assert answer(head, base) == said


def test_what_a_cluster_says_is_one_short_line_without_a_password() -> None:
    hostile = f"a\x1b[0m\n\u202eb \u200b https://bot:geheim@git.example/x {'y' * 100_000}"
    said = answer(RenderFailed(hostile), rendering())
    assert isinstance(said, DoesNotRender)
    assert said.message.startswith("a [0m b https://git.example/x yyy")
    assert len(said.message) == 300
    assert said.message.isprintable()


def test_a_command_that_names_every_api_of_a_cluster_does_not_hide_the_error() -> None:
    command = f"`helm template . {'--api-versions apps/v1/Deployment ' * 2_000}` "
    long = RenderFailed(f"rpc error: code = Unknown desc = {command}{FAILED.message[len(HELM) :]}")
    assert answer(long, rendering()) == DoesNotRender("line 1: no colon")
    silent = RenderFailed(f"{command}failed exit status 1: ")
    assert answer(silent, rendering()) == DoesNotRender("exit status 1:")
    slow = RenderFailed(f"{command}failed timeout after 1m30s")
    assert answer(slow, rendering()) == DoesNotRender("timeout after 1m30s")


# What is asked


FILES = ThroughFiles()


def sight(found: Application | Gone | CannotSee | None = None, route: Route = FILES) -> Sight:
    expectation = Expectation(BASE, BASE, NOW, "github.com/acme/gitops", route=route, branch="main")
    return Sight(Look(found or application(API)), expectation)


def sourced(*sources: Source) -> Application:
    return application(API, sources=sources)


CHART = Source("https://charts.example", "1.2.0", chart="svc")
VALUES = Source(URL, "main", ref="values")
PINNED = Source(URL, "v1.0.0", "charts")
REF = application(API).ref
QUESTIONS: dict[str, tuple[Wanted, Sight | None, Question | Answer]] = {
    "one source": (
        Wanted(API, False),
        sight(),
        Question(REF, RenderAt(((0, HEAD),)), RenderAt(((0, BASE),))),
    ),
    "values beside a chart": (
        Wanted(API, False),
        sight(sourced(CHART, VALUES)),
        Question(REF, RenderAt(((2, HEAD),)), RenderAt(((2, BASE),))),
    ),
    "only the sources that follow the branch": (
        Wanted(API, False),
        sight(sourced(PINNED, VALUES)),
        Question(REF, RenderAt(((2, HEAD),)), RenderAt(((2, BASE),))),
    ),
    "the value is its targetRevision": (
        Wanted(API, False),
        sight(sourced(CHART, VALUES), ThroughSpec(0, "1.3.0")),
        NotAsked("the merge changes its targetRevision, and with it what is rendered"),
    ),
    "it reads something else": (
        Wanted(API, False),
        sight(sourced(CHART)),
        NotAsked("none of its sources reads this repository"),
    ),
    "a new service": (
        Wanted(API, True),
        sight(Gone("not found")),
        NotAsked("there is no such application yet"),
    ),
    "a new service that nothing reads": (
        Wanted(API, True, "nothing reads its file"),
        None,
        NotAsked("there is no such application yet"),
    ),
    "a new service with an application": (
        Wanted(API, True),
        sight(),
        Question(REF, RenderAt(((0, HEAD),)), RenderAt(((0, BASE),))),
    ),
    "it is gone": (
        Wanted(API, False),
        sight(Gone("not found")),
        NotSeen("not found", f"mend `applications`, or {RIGHTS}"),
    ),
    "nothing reads its file": (
        Wanted(API, False, "nothing reads its file"),
        None,
        NotSeen("nothing reads its file", "name its applications, or mend theirs"),
    ),
    "it may not be seen": (
        Wanted(API, False),
        sight(CannotSee("403", unauthorised=True)),
        NotSeen("403", RIGHTS),
    ),
    "it cannot be seen": (Wanted(API, False), sight(CannotSee("timeout")), NotSeen("timeout")),
    "nobody has looked": (Wanted(API, False), None, NotSeen("it has not been looked at yet")),
}


@pytest.mark.parametrize(("each", "seen", "asked"), QUESTIONS.values(), ids=QUESTIONS)
def test_what_is_asked_of_argocd(
    each: Wanted, seen: Sight | None, asked: Question | Answer
) -> None:
    assert question(each, seen, HEAD, BASE) == asked


def known(head: str = HEAD, **answers: Answer) -> Promotion:
    renders = tuple(Render(f"{name}-production", head, said) for name, said in answers.items())
    return proposal(renders=renders)


def asked_for(promotion: Promotion, now: datetime = NOW, head: str = HEAD) -> list[str]:
    return [each.name for each in wanted(ASKED, promotion, {}, head, now)]


def test_what_is_known_of_a_head_is_not_asked_for_again() -> None:
    done = known(api=Renders(3, 1), web=NotAsked("the merge changes it"))
    assert asked_for(proposal()) == [API, WEB]
    assert asked_for(done, NOW + timedelta(days=30)) == []
    assert asked_for(done, head=OTHER_HEAD) == [API, WEB]
    assert wanted(OFF, proposal(), {}, HEAD, NOW) == ()
    assert wanted(production(), proposal(), {}, HEAD, NOW) == ()


def test_one_application_of_several_services_is_asked_for_once() -> None:
    """It is new only if all that it runs of the set is."""
    shared = production(gates="{ artifacts: {} }", applications="all")
    first, second = proposal().changes
    added = replace(first, writes=(Write("f.yaml", ".", None, "b" * 40, part=Part.FILE),))
    mixed, new = proposal(changes=(added, second)), proposal(changes=(added, added))
    assert wanted(shared, mixed, {}, HEAD, NOW) == (Wanted("all", False),)
    assert wanted(shared, new, {}, HEAD, NOW) == (Wanted("all", True),)


def test_with_auto_those_that_read_the_files_are_asked_for() -> None:
    found = {
        "api": Found((Match("shop", "f.yaml", "reads it"),)),
        "web": Found((), reason="nothing reads f.yaml"),
    }
    every = wanted(AUTO, proposal(), found, HEAD, NOW)
    assert [(each.name, each.unknown) for each in every] == [
        ("shop", ""),
        ("the application of web", "nothing reads f.yaml"),
    ]


@pytest.mark.parametrize("said", [NotSeen("timeout"), DoesNotRender("no colon")], ids=repr)
def test_what_did_not_render_is_asked_for_less_and_less_often(
    said: NotSeen | DoesNotRender,
) -> None:
    promotion, now, times = proposal(), NOW, []
    for _ in range(12):
        promotion = remembered(promotion, {API: said}, HEAD, now)
        kept = promotion.renders[0].answer
        assert isinstance(kept, NotSeen | DoesNotRender)
        assert kept.until is not None
        assert API not in asked_for(promotion, kept.until - timedelta(seconds=1))
        assert API in asked_for(promotion, kept.until)
        times.append(kept.until - now)
        now = kept.until
    assert times[:3] == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]
    assert all(one <= next_ for one, next_ in pairwise(times))
    assert times[-1] == timedelta(hours=1)


def test_answers_survive_a_restart_and_another_head_forgets_them() -> None:
    promotion = remembered(known(api=Renders(3, 1)), {WEB: NotSeen("timeout")}, HEAD, NOW)
    assert [each.application for each in promotion.renders] == [API, WEB]
    assert PROMOTION.read(PROMOTION.text(promotion), "here") == promotion
    assert remembered(promotion, {}, OTHER_HEAD, NOW).renders == ()


# What it means


def judged(promotion: Promotion, **changed: object) -> Gate:
    seen = opened(promotion, policy=ASKED, **changed)
    gates = {gate.name: gate for gate in judge_gates(promotion, seen.target, seen)}
    return gates["renders"]


GOOD = Renders(3, 1)
OURS, THEIRS = DoesNotRender("no colon"), DoesNotRender("no colon", at_base=True)
VERDICTS: dict[str, tuple[Promotion, Verdict, str, str]] = {
    "all render": (
        known(api=GOOD, web=Renders(2, 0)),
        Verdict.PASS,
        "Argo CD renders 5 resources of 2 applications, 1 would change",
        "",
    ),
    "nothing would change": (
        known(api=Renders(1, 0), web=Renders(2, 0)),
        Verdict.PASS,
        "Argo CD renders 3 resources of 2 applications, none would change",
        "",
    ),
    "what would change is not known of all": (
        known(api=GOOD, web=Renders(2)),
        Verdict.PASS,
        "Argo CD renders 5 resources of 2 applications",
        "",
    ),
    "some are not rendered": (
        known(api=GOOD, web=NotAsked("why")),
        Verdict.PASS,
        "Argo CD renders 3 resources of 1 application, 1 would change; "
        "not rendered: web-production (why)",
        "",
    ),
    "none is rendered": (
        known(api=NotAsked("why"), web=NotAsked("why")),
        Verdict.PASS,
        "not rendered: api-production, web-production (why)",
        "",
    ),
    "one does not render": (
        known(api=NotSeen("timeout"), web=OURS),
        Verdict.FAIL,
        "web-production does not render: no colon",
        "correct it on the branch, or in staging",
    ),
    "both do not": (
        known(api=OURS, web=OURS),
        Verdict.FAIL,
        "api-production does not render: no colon (and 1 more)",
        "correct it on the branch, or in staging",
    ),
    "one did not before": (
        known(api=THEIRS, web=GOOD),
        Verdict.WAIT,
        "api-production does not render, with or without this promotion: no colon",
        "mend it on main, then update the branch",
    ),
    "one cannot be seen": (
        known(api=NotSeen("403", RIGHTS), web=GOOD),
        Verdict.WAIT,
        "api-production cannot be rendered now: 403",
        RIGHTS,
    ),
    "one is on its way": (
        known(web=GOOD),
        Verdict.WAIT,
        "api-production has not been rendered yet",
        "",
    ),
    "only an older head is known": (
        known(OTHER_HEAD, api=GOOD, web=GOOD),
        Verdict.WAIT,
        "api-production has not been rendered yet",
        "",
    ),
}


@pytest.mark.runbook("VAPORA-6")
@pytest.mark.parametrize(
    ("promotion", "verdict", "reason", "step"), VERDICTS.values(), ids=VERDICTS
)
def test_what_the_gate_makes_of_the_answers(
    promotion: Promotion, verdict: Verdict, reason: str, step: str
) -> None:
    assert judged(promotion) == Gate("renders", verdict, reason, step)


def test_before_the_branch_is_read_it_waits() -> None:
    assert judged(proposal(), pull_request=None).verdict is Verdict.WAIT


def test_an_answer_that_is_on_its_way_is_looked_for_soon_and_a_failed_one_at_its_time() -> None:
    """And nothing is looked at sooner for what is known."""
    calm = decide(opened(known(api=GOOD, web=GOOD), policy=ASKED), NOW).target
    some = decide(opened(known(api=GOOD), policy=ASKED), NOW).target
    failed = decide(
        opened(known(api=GOOD), policy=ASKED, renders={WEB: NotSeen("timeout")}), NOW
    ).target
    assert some.wake_at == NOW + timedelta(seconds=2)
    assert failed.wake_at == NOW + timedelta(seconds=30)
    assert calm.wake_at is not None
    assert calm.wake_at >= NOW + timedelta(minutes=5)


def test_the_box_shows_both_or_neither() -> None:
    """The files may be good and the branch not render; that is shown as not valid."""
    files = Known(Artifacts(HEAD, "staging", SOURCE, ()), NOW)
    shown = {}
    for web in (OURS, GOOD):
        page = body_of(opened(known(api=GOOD, web=web), policy=ASKED, artifacts=files))
        (shown[web],) = (box for box in page.proven if box.item == "artifacts-valid")
    assert (shown[OURS].ticked, shown[OURS].proof) == (False, "")
    assert shown[GOOD].ticked
    assert shown[GOOD].proof.startswith("0 files parse; the same build as staging")
    assert shown[GOOD].proof.endswith(
        "; Argo CD renders 6 resources of 2 applications, 2 would change"
    )


def test_a_retry_asks_for_it_again() -> None:
    promotion = known(api=OURS, web=GOOD)
    seen = commanded(opened(promotion, policy=ASKED), command("retry"))
    decided = decide(seen, NOW).target.proposal
    assert decided is not None
    assert asked_for(decided) == [API, WEB]
