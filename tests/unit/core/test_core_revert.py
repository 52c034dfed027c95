"""What exactly goes back: only values that are still ours; later work of others stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.model import Outcome, ServiceChange, Write
from pilotage.core.revert import ByPerson, ByValue, Nothing, plan_revert, to_put_back
from tests.unit.core.worlds import (
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
    assert "envName: staging" in found.files[API]


def test_a_new_service_is_for_a_person() -> None:
    new = replace(
        changes()[0],
        before=None,
        writes=(Write(API, "service.chartTag", None, "api-v9.1.1"),),
    )
    found = plan_revert(release(changes=(new,)), ("api",), texts())
    assert isinstance(found, ByPerson)
    assert "api was new" in found.reason
    assert found.commands == f"git revert -m 1 {MERGED} && git push"


def test_a_file_that_cannot_be_edited_safely_is_for_a_person() -> None:
    head = texts()
    head[API] = "envName: &env production\nother: *env\nservice: {chartTag: api-v9.1.1}\n"
    change = replace(
        changes()[0],
        writes=(
            Write(API, "service.chartTag", "api-v9.0.4", "api-v9.1.1"),
            Write(API, "envName", "staging", "production"),
        ),
    )
    assert isinstance(plan_revert(release(changes=(change,)), ("api",), head), ByPerson)


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
