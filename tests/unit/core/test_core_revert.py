"""What exactly goes back: only values that are still ours; later work of others stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.change import Part, ServiceChange, Write, content_id
from pilotage.core.model import MergeMethod, Outcome
from pilotage.core.revert import (
    ByMerge,
    ByPerson,
    ByValue,
    MergedMore,
    MergeWithdrawn,
    Nothing,
    Reverse,
    ReverseConflict,
    beyond_promoted,
    by_merge,
    git_commands,
    plan_revert,
    to_put_back,
)
from tests.unit.core.worlds import (
    BASE,
    MERGED,
    PRODUCTION,
    STAGING,
    changes,
    file_path,
    release,
    texts,
)

API = file_path("production", "api")
BOTH = ("api", "web")


@pytest.mark.runbook("SYRF-10")
def test_the_previous_values_go_back_byte_for_byte() -> None:
    assert plan_revert(release(), BOTH, texts()) == ByValue(BOTH, texts(PRODUCTION))


def test_only_the_services_that_are_asked_for() -> None:
    assert plan_revert(release(), ("api",), texts()) == ByValue(
        ("api",), {API: texts(PRODUCTION)[API]}
    )


@pytest.mark.runbook("SYRF-11")
def test_later_edits_of_other_keys_stay() -> None:
    head = texts()
    head[API] = "# a new comment\n" + head[API] + "replicas: 5\n"
    found = plan_revert(release(), ("api",), head)
    assert isinstance(found, ByValue)
    assert found.files[API] == "# a new comment\n" + texts(PRODUCTION)[API] + "replicas: 5\n"


def test_a_value_that_was_replaced_since_is_not_touched() -> None:
    head = texts({"api": "api-v9.2.0", "web": "web-v5.0.1"})
    found = plan_revert(release(), BOTH, head)
    assert isinstance(found, ByValue)
    assert found.services == ("web",)
    assert API not in found.files


@pytest.mark.parametrize("running", [PRODUCTION, {"api": "api-v9.2.0", "web": "web-v6.0.0"}, {}])
def test_when_every_value_is_gone_there_is_nothing_to_do(running: dict[str, str]) -> None:
    assert isinstance(plan_revert(release(), BOTH, texts(running)), Nothing)


def test_a_value_that_was_set_with_the_version_goes_back_too() -> None:
    change = ServiceChange(
        "api",
        "api-v9.0.4",
        "api-v9.1.1",
        (
            Write(API, "service.chartTag", "api-v9.0.4", "api-v9.1.1"),
            Write(API, "envName", "staging", "production"),
        ),
    )
    found = plan_revert(release(changes=(change,)), ("api",), texts())
    assert isinstance(found, ByValue)
    assert "envName: staging" in (found.files[API] or "")


INSERTED = replace(
    changes()[0],
    before=None,
    writes=(Write(API, "service.chartTag", None, "api-v9.1.1"),),
)
WHOLE = Write(API, ".", None, content_id(texts()[API].encode()), part=Part.FILE)
ADDED = replace(INSERTED, writes=(*INSERTED.writes, WHOLE))
ADDED_AND_EDITED = replace(
    INSERTED, writes=(*INSERTED.writes, replace(WHOLE, after=content_id(b"before the edit")))
)
SHARED = "service: &all\n  on: true\n  chartTag: api-v9.1.1\nold: *all\n"
"""A value that an alias repeats: an edit of it would change more."""


def test_a_value_that_was_not_there_goes_back_by_deleting_it() -> None:
    """Its line goes, whatever a person did with the others."""
    head = texts()
    head[API] += "replicas: 5\n"
    found = plan_revert(release(changes=(INSERTED,)), ("api",), head)
    assert isinstance(found, ByValue)
    lines = [line for line in head[API].splitlines(keepends=True) if "chartTag" not in line]
    assert found.files[API] == "".join(lines)


def test_an_inserted_value_beside_an_old_one_goes_back_with_it() -> None:
    both = (
        Write(API, "service.chartTag", "api-v9.0.4", "api-v9.1.1"),
        Write(API, "serviceName", None, "api"),
    )
    found = plan_revert(release(changes=(replace(changes()[0], writes=both),)), ("api",), texts())
    assert isinstance(found, ByValue)
    text = found.files[API] or ""
    assert "chartTag: api-v9.0.4" in text
    assert "serviceName" not in text


def test_an_added_file_goes_back_by_removing_it() -> None:
    found = plan_revert(release(changes=(ADDED, changes()[1])), ("api",), texts())
    assert found == ByValue(("api",), {API: None})


@pytest.mark.parametrize("before", ["version: 1\n", None])
def test_a_whole_file_that_two_services_share_goes_back_once(before: str | None) -> None:
    """The second finds it as it was already, which is no edit of somebody's."""
    lock = Write(
        "Chart.lock",
        ".",
        None if before is None else content_id(before.encode()),
        content_id(b"version: 2\n"),
        part=Part.FILE,
    )
    both = tuple(replace(change, writes=(*change.writes, lock)) for change in changes())
    head = {**texts(), "Chart.lock": "version: 2\n"}
    found = plan_revert(release(changes=both), BOTH, head, {"Chart.lock": before})
    assert found == ByValue(BOTH, {**texts(PRODUCTION), "Chart.lock": before})


def test_a_copied_file_goes_back_to_what_it_was() -> None:
    old = "envName: production\nservice: { chartTag: api-v9.0.4 }\n"
    whole = replace(WHOLE, before=content_id(old.encode()))
    copied = replace(changes()[0], writes=(*changes()[0].writes, whole))
    found = plan_revert(release(changes=(copied,)), ("api",), texts(), {API: old})
    assert found == ByValue(("api",), {API: old})
    for unread in (None, old + "replicas: 5\n"):
        found = plan_revert(release(changes=(copied,)), ("api",), texts(), {API: unread})
        assert isinstance(found, ByMerge), "what is not just what it replaced does not go back"
        assert "cannot be read" in found.why


def test_a_tag_inside_an_image_goes_back_in_its_own_document() -> None:
    write = Write("d.yaml", "spec.image", "v1@sha256:" + "1" * 64, "v2", "kind=B", Part.IMAGE)
    change = ServiceChange("api", "v1", "v2", (write,))
    head = "kind: A\nspec: { image: r/api:v2 }\n---\nkind: B\nspec: { image: r:5000/api:v2 } # b\n"
    found = plan_revert(release(changes=(change,)), ("api",), {"d.yaml": head})
    back = "r:5000/api:v1@sha256:" + "1" * 64
    assert found == ByValue(("api",), {"d.yaml": head.replace("r:5000/api:v2", back)})


@pytest.mark.parametrize(
    ("change", "text", "why"),
    [
        (ADDED_AND_EDITED, None, f"{API} has changed since it went along as a whole"),
        (changes()[0], SHARED, f"{API}:3: service.chartTag: the alias *all on line 4"),
        (INSERTED, "service:\n  chartTag: api-v9.1.1\n", "it is the only entry there"),
    ],
    ids=["an added file, edited since", "a shared value", "an only entry"],
)
def test_where_single_values_cannot_go_back_the_merge_does(
    change: ServiceChange, text: str | None, why: str
) -> None:
    head = texts() if text is None else {**texts(), API: text}
    found = plan_revert(release(changes=(change,)), ("api",), head)
    assert isinstance(found, ByMerge)
    assert found.services == ("api",)
    assert why in found.why


def test_the_merge_takes_all_of_its_services_back() -> None:
    """One of them cannot go by value, so none does; what somebody replaced does not count."""
    whole = release(changes=(ADDED_AND_EDITED, changes()[1]))
    found = plan_revert(whole, BOTH, texts())
    assert isinstance(found, ByMerge)
    assert found.services == BOTH
    replaced = plan_revert(whole, BOTH, texts({"api": "api-v9.1.1", "web": "web-v6.0.0"}))
    assert isinstance(replaced, ByMerge)
    assert replaced.services == ("api",)


def test_a_service_that_stays_keeps_the_merge_from_going_back() -> None:
    """The commands put back the rest of the merge, and leave that service's file as it is."""
    whole = release(changes=(ADDED_AND_EDITED, changes()[1]))
    found = plan_revert(whole, ("api",), texts())
    assert isinstance(found, ByPerson)
    assert "because web stays" in found.reason
    web = file_path("production", "web")
    assert found.commands == (
        f"git revert --no-commit -m 1 {MERGED} && "
        f"git restore --staged --worktree --source=HEAD -- {web} && git commit && git push"
    )


WANTED = ByMerge(("api",), "api: it is new")


@pytest.mark.parametrize(
    ("reverse", "reason", "commands"),
    [
        (
            ReverseConflict((API, "a b")),
            f"api: it is new; and later work on {API}, a b conflicts with the reverse of the merge",
            f"git revert -m 1 {MERGED}; mend the files; git add -- {API} 'a b' && "
            "git revert --continue && git push",
        ),
        (
            MergedMore((API, "README.md")),
            "api: it is new; and the merge brought more than what was promoted, in "
            f"{API}, README.md",
            f"git revert --no-commit -m 1 {MERGED} && git restore --staged --worktree "
            "--source=HEAD -- README.md && git commit && git push",
        ),
        (
            MergedMore(tuple(f"docs/{number}" for number in range(7))),
            "docs/0, docs/1, docs/2, docs/3, docs/4 and 2 more",
            "docs/5 docs/6 && git commit",
        ),
        (
            MergeWithdrawn(),
            "api: it is new; and the branch no longer contains the merge",
            f"git revert -m 1 {MERGED} && git push",
        ),
    ],
)
def test_a_merge_that_cannot_go_back_is_for_a_person(
    reverse: Reverse, reason: str, commands: str
) -> None:
    found = by_merge(release(), WANTED, reverse)
    assert isinstance(found, ByPerson)
    assert reason in found.reason
    assert commands in found.commands


@pytest.mark.parametrize(
    ("method", "what"),
    [
        (MergeMethod.MERGE, f"-m 1 {MERGED}"),
        (MergeMethod.SQUASH, MERGED),
        (MergeMethod.REBASE, f"{BASE}..{MERGED}"),
        (MergeMethod.PUSH, f"-m 1 {MERGED}"),
    ],
)
def test_the_commands_fit_the_way_it_was_merged(method: MergeMethod, what: str) -> None:
    merged = release()
    assert merged.merge is not None
    merged = replace(merged, merge=replace(merged.merge, method=method))
    assert git_commands(merged) == f"git revert {what} && git push"


OLD, NEW = texts(PRODUCTION)[API], texts()[API]


@pytest.mark.parametrize(
    ("paths", "before", "after", "more"),
    [
        ((API,), {API: OLD}, {API: NEW}, ()),
        ((API,), {}, {API: NEW}, ()),
        ((API, "README.md"), {API: OLD}, {API: NEW}, ("README.md",)),
        ((API,), {API: OLD}, {API: NEW + "replicas: 5\n"}, (API,)),
        ((API,), {API: OLD}, {API: "# noted\n" + NEW}, (API,)),
        ((API,), {API: OLD}, {}, (API,)),
        ((API,), {API: None}, {API: NEW}, (API,)),
        ((API,), {API: OLD}, {API: None}, (API,)),
        ((API,), {API: "a: [\n"}, {API: NEW}, (API,)),
    ],
    ids=[
        "only values", "added", "another file", "another key", "a comment", "removed",
        "was no text", "is no text", "was broken",
    ],
)  # fmt: skip
def test_what_a_merge_did_beyond_the_promotion_is_found(
    paths: tuple[str, ...],
    before: dict[str, str | None],
    after: dict[str, str | None],
    more: tuple[str, ...],
) -> None:
    """Whatever is not exactly the promoted values is somebody's work."""
    assert beyond_promoted(changes()[:1], paths, before, after) == more


def test_several_values_of_several_services_in_one_file_are_only_what_was_promoted() -> None:
    old = "api: { tag: v1, chart: c1 }\nweb: { tag: v1 }\n"
    new = "api: { tag: v2, chart: c2 }\nweb: { tag: v3 }\n"
    api = (Write("all.yaml", "api.tag", "v1", "v2"), Write("all.yaml", "api.chart", "c1", "c2"))
    web = (Write("all.yaml", "web.tag", "v1", "v3"),)
    both = (ServiceChange("api", "v1", "v2", api), ServiceChange("web", "v1", "v3", web))
    before, after = {"all.yaml": old}, {"all.yaml": new}
    assert beyond_promoted(both, ("all.yaml",), before, after) == ()
    for less in (both[:1], both[1:], (replace(both[0], writes=api[:1]), both[1])):
        assert beyond_promoted(less, ("all.yaml",), before, after) == ("all.yaml",)


@pytest.mark.parametrize(("now", "more"), [(NEW, ()), (NEW + "replicas: 5\n", (API,))])
def test_a_whole_file_is_what_was_promoted_only_as_it_was(now: str, more: tuple[str, ...]) -> None:
    """Beside the single values in it, its content says so."""
    whole = Write(API, ".", content_id(b"old"), content_id(NEW.encode()), part=Part.FILE)
    copied = replace(changes()[0], writes=(*changes()[0].writes, whole))
    assert beyond_promoted((copied,), (API,), {API: "old"}, {API: now}) == more


@pytest.mark.parametrize(("together", "expected"), [(True, ("api", "web")), (False, ("api",))])
def test_who_goes_back_when_one_fails(together: bool, expected: tuple[str, ...]) -> None:
    assert to_put_back(release(), ["api"], together=together) == expected


@pytest.mark.parametrize("outcome", [Outcome.OVERTAKEN, Outcome.REVERTED, Outcome.REVERTING])
def test_what_is_back_or_not_ours_stays_where_it_is(outcome: Outcome) -> None:
    given_ = release(outcomes={"api": Outcome.FAILED, "web": outcome})
    assert to_put_back(given_, ["api"], together=True) == ("api",)


tags = st.from_regex(r"v[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True)


@given(api=tags, web=tags)
def test_putting_back_what_was_promoted_gives_the_files_from_before(api: str, web: str) -> None:
    """And only where the promoted value still stands."""
    running = {"api": f"api-{api}", "web": f"web-{web}"}
    found = plan_revert(release(), BOTH, texts(running))
    ours = tuple(name for name in BOTH if running[name] == STAGING[name])
    if not ours:
        assert isinstance(found, Nothing)
    else:
        assert isinstance(found, ByValue)
        assert found.services == ours
