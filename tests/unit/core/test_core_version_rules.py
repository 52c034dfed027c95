"""Which versions a pipeline lets out, and what is said of those that it does not."""

from __future__ import annotations

import pytest

from pilotage.core.config.policy import Policy
from pilotage.core.version_rules import is_older, refused
from tests.unit.core.worlds import changes, pipeline, policy

DIGEST = "sha256:abc1234" + "0" * 57


def said(
    after: str, before: str = "api-v9.0.4", rules: Policy | None = None, source_ran: bool = True
) -> str:
    """The reason and the next step, or nothing."""
    change = changes({"api": after}, {"api": before})[0]
    found = refused(change, rules or policy(), source_ran)
    if found is None:
        return ""
    assert found.reason
    assert found.next_step
    return f"{found.reason}: {found.next_step}"


def rules(**written: str) -> Policy:
    inside = ", ".join(f"{name}: {value}" for name, value in written.items())
    return pipeline(versions=f"{{ {inside} }}")


@pytest.mark.runbook("SYRF-15")
@pytest.mark.parametrize("after", ["api-v9.0.5", "api-v9.3.0", "api-v12.1.0"])
def test_versions_may_be_left_out(after: str) -> None:
    """What counts is that the new one was proven, not how many there were between."""
    assert said(after) == ""


@pytest.mark.runbook("SYRF-15")
@pytest.mark.parametrize(
    ("scheme", "good", "bad"),
    [
        ("any", ["api-v9.1.1", "2026.11.21", "c0ffee1", DIGEST, "v10"], []),
        (
            "semver",
            ["api-v9.1.1", "1.4.0-rc.1", "2026.11.21", f"v9.1.1@{DIGEST}"],
            ["2026-11-21.3", "4be19f2", DIGEST, f"latest@{DIGEST}"],
        ),
        (
            "calver",
            ["2026.11.21", "26.11.1", "2026-11-21.3", f"26.9.1@{DIGEST}"],
            ["api-v9.1.1", "4be19f2", DIGEST],
        ),
        ("digest", [DIGEST, f"v9.1.1@{DIGEST}", f"latest@{DIGEST}"], ["v9.1.1", "4be19f2"]),
        ("commit", ["4be19f2", "main-4be19f2", f"4be19f2@{DIGEST}"], ["v9.1.1", DIGEST]),
    ],
)
def test_only_what_the_scheme_names(scheme: str, good: list[str], bad: list[str]) -> None:
    chosen = rules(scheme=scheme)
    assert {value: said(value, "build-1", chosen) for value in good} == dict.fromkeys(good, "")
    for value in bad:
        assert f"`versions.scheme` is `{scheme}`" in said(value, "build-1", chosen)


@pytest.mark.runbook("SYRF-15")
@pytest.mark.parametrize("scheme", ["any", "semver", "calver", "digest", "commit"])
@pytest.mark.parametrize("after", ["latest", "main", "v9"])
def test_a_name_that_moves_never_goes_out(after: str, scheme: str) -> None:
    found = said(after, "api-v9.0.4", rules(scheme=scheme, backwards="allow"))
    assert found == (
        f"api {after} is no version that stays what it is: "
        "name a version such as v1.2.3, or a commit"
    )


@pytest.mark.runbook("SYRF-15")
def test_backwards_is_refused_unless_it_is_allowed() -> None:
    older = "api v9.0.3 is older than v9.0.4, which production runs"
    assert said("api-v9.0.3").startswith(f"{older}: release a newer version to staging")
    assert "`versions.backwards: allow`" in said("api-v9.0.3")
    assert said("api-v9.0.3", rules=rules(backwards="allow")) == ""


def test_what_a_person_released_past_staging_is_not_taken_back() -> None:
    """Older in staging without staging having gone back: production was brought forward by hand."""
    found = said("api-v9.0.3", rules=rules(backwards="allow"), source_ran=False)
    assert found == (
        "api v9.0.3 is older than v9.0.4, which production runs and staging was never "
        "seen to run: bring staging forward: what a person released is not taken back"
    )


@pytest.mark.parametrize(
    ("after", "before"),
    [("c0ffee1", "4be19f2"), ("pm-v8.0.0", "api-v9.0.4"), ("api-v9.0.4-4be19f2", "api-v9.0.4")],
)
def test_what_has_no_order_is_not_called_older(after: str, before: str) -> None:
    assert said(after, before) == ""


@pytest.mark.parametrize(
    ("after", "early"),
    [("1.4.0-rc.1", "rc.1"), ("2026-11-21-beta.2", "beta.2"), (f"v1.4.0-rc.1@{DIGEST}", "rc.1")],
)
def test_prereleases_stay_where_the_policy_refuses_them(after: str, early: str) -> None:
    assert said(after, "build-1") == ""
    found = said(after, "build-1", rules(prereleases="refuse"))
    assert f"is a prerelease ({early}), and `versions.prereleases` is `refuse`" in found
    assert said("1.4.0", "build-1", rules(prereleases="refuse")) == ""


def test_digests_are_cut_in_what_people_read() -> None:
    found = said(f"v9.0.3@{DIGEST}", f"v9.0.4@{DIGEST}")
    assert found.startswith("api v9.0.3@sha256:abc1234… is older than v9.0.4@sha256:abc1234…,")


@pytest.mark.runbook("SYRF-15")
def test_older_is_told_from_the_versions() -> None:
    back = changes({"api": "api-v9.0.3"}, {"api": "api-v9.0.4"})[0]
    assert is_older(back, policy())
    assert not any(is_older(change, policy()) for change in changes())
