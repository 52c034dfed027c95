"""What a service's applications are called, and that a verdict loses none of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pilotage.core.application import CannotSee, Look
from pilotage.core.config.load import ConfigError, load_config
from pilotage.core.config.policy import Environment, Policy
from pilotage.core.decide import decide
from pilotage.core.discovery.find import Found, Match, NearMiss
from pilotage.core.discovery.names import names_in, nobody, pinned, release_names
from pilotage.core.model import Outcome, State
from pilotage.core.snapshot import Known, MergeSeen, Snapshot
from pilotage.resources import presets
from tests.unit.core.test_core_proof import sight
from tests.unit.core.worlds import (
    CONFIG,
    NOW,
    STAGING,
    changes,
    merged_pull_request,
    opened,
    policy,
    release,
    releasing,
    said,
    snapshot,
    target,
    watch,
)

AUTO = CONFIG.replace("staging: {}", "staging: { applications: auto }").replace(
    "from: staging", "from: staging\n        applications: auto"
)
REASON = "no application on main reads x.yaml; nearest: api-old reads x.yaml, but follows v1"


def auto() -> Policy:
    return policy(AUTO)


def found(*names: str) -> Found:
    return Found(tuple(Match(name, "x.yaml", "reads x.yaml") for name in names))


NOTHING = Found(near=(NearMiss("api-old", "x.yaml", "follows v1"),), reason=REASON)


@pytest.mark.parametrize("written", ["auto", ["auto"]])
def test_auto_is_a_word_and_not_a_name(written: str | list[str]) -> None:
    environment = Environment.model_validate({"applications": written})
    assert environment.finds_applications
    assert names_in(environment, "production", "api", {"api": ("b", "a")}) == ["b", "a"]


def test_written_names_are_what_they_were() -> None:
    environment = Environment.model_validate({"applications": "x-{environment}-{service}"})
    assert not environment.finds_applications
    assert names_in(environment, "production", "api", {"api": ("b",)}) == ["x-production-api"]


def test_auto_stands_alone() -> None:
    text = CONFIG.replace("staging: {}", "staging: { applications: [auto, api-staging] }")
    with pytest.raises(ConfigError, match="auto stands alone"):
        load_config(text, presets())


def test_where_none_is_found_something_is_waited_for() -> None:
    """An empty list would be live everywhere at once."""
    names = names_in(auto().environment, "production", "api", {})
    assert names == [nobody("api")]


# Proof


def test_nothing_found_in_staging_is_not_live_there() -> None:
    """Also where the version would have been proven by what was looked at before."""
    unseen = replace(sight(), look=Look(CannotSee(REASON)))
    before = snapshot(
        policy=auto(),
        target=target(proofs=()),
        found_in_source={"api": NOTHING, "web": found("web-s")},
        proof_sights={"api": {nobody("api"): unseen}, "web": {"web-s": sight()}},
    )
    decision = decide(before, NOW)
    assert f"the application of api cannot be seen: {REASON}" in said(decision)
    assert decision.acts == ()
    assert all(not proof.proven for proof in decision.target.proofs if proof.service == "api")


def test_once_found_what_was_waited_for_is_forgotten() -> None:
    """Its time to be looked at again is long past, and would wake the target for ever."""
    unseen = replace(sight(), look=Look(CannotSee(REASON)))
    before = snapshot(
        policy=auto(),
        target=target(proofs=()),
        found_in_source=dict.fromkeys(STAGING, NOTHING),
        proof_sights={name: {nobody(name): unseen} for name in STAGING},
    )
    then = decide(before, NOW)
    names = {name: found(f"{name}-s") for name in STAGING}
    after = replace(
        before,
        target=then.target,
        found_in_source=names,
        proof_sights={name: {f"{name}-s": sight()} for name in STAGING},
    )
    now = NOW + timedelta(minutes=10)
    decision = decide(after, now)
    assert {name for proof in decision.target.proofs for name in proof.watches} == {
        "api-s",
        "web-s",
    }
    assert decision.wake_at is not None
    assert decision.wake_at > now


def test_explain_says_what_stands_for_what_and_why() -> None:
    uncovered = replace(
        found("api-p"),
        unread=("docs/x.md",),
        uncovered=(Match("api-p", "x.yaml", ""),),
    )
    before = snapshot(
        policy=auto(),
        found_in_source={"api": NOTHING},
        found_in_target={"api": uncovered},
    )
    text = said(decide(before, NOW))
    assert f"api in staging: {REASON}" in text
    assert "api in production: api-p: reads x.yaml" in text
    assert "api in production: no application reads docs/x.md" in text
    assert "manifest-generate-paths of api-p do not cover x.yaml" in text


# The release


def merged() -> Snapshot:
    merge = release().merge
    assert merge is not None
    return opened(
        policy=auto(),
        pull_request=Known(merged_pull_request(), NOW),
        merged=Known(MergeSeen(merge, changes()), NOW),
    )


def test_the_merge_pins_what_was_found() -> None:
    before = replace(merged(), found_in_target={"api": found("api-p", "api-q"), "web": NOTHING})
    started = decide(before, NOW).target.release
    assert started is not None
    assert started.applications == {"api": ("api-p", "api-q")}


def test_what_is_pinned_stays_whatever_is_found_later() -> None:
    known = release(applications={"api": ("api-p",)})
    assert pinned(known, {"api": found("other"), "web": NOTHING}) is known
    more = pinned(known, {"api": found("other"), "web": found("web-p"), "db": found("db-p")})
    assert more.applications == {"api": ("api-p",), "web": ("web-p",)}
    assert release_names(auto(), more, "api") == ["api-p"]


def world(**changed: Any) -> Snapshot:
    chosen = auto()
    return releasing(policy=chosen, release_policy=chosen, **changed)


def test_a_service_without_an_application_is_never_live() -> None:
    """The other one is; nothing is confirmed, however long it lasts."""
    rolling = release(
        state=State.ROLLING_OUT,
        live_at=None,
        outcomes=dict.fromkeys(STAGING, Outcome.ROLLING_OUT),
        applications={"web": ("web-p",)},
        watches={"web-p": watch()},
    )
    for now in (NOW, NOW + timedelta(days=1)):
        decision = decide(world(promotion=rolling, found_for_release={"api": NOTHING}), now)
        after = decision.target.release
        assert after is not None
        assert after.outcomes == {"api": Outcome.ROLLING_OUT, "web": Outcome.LIVE}
        assert after.state is State.ROLLING_OUT


def test_what_is_found_after_the_merge_is_watched_from_then_on() -> None:
    """And nothing of the waiting is left."""
    rolling = release(
        state=State.ROLLING_OUT,
        live_at=None,
        outcomes=dict.fromkeys(STAGING, Outcome.ROLLING_OUT),
        applications={"web": ("web-p",)},
        watches={"web-p": watch(), nobody("api"): watch()},
    )
    before = world(promotion=rolling, found_for_release={"api": found("api-p")})
    after = decide(before, NOW).target.release
    assert after is not None
    assert after.applications == {"api": ("api-p",), "web": ("web-p",)}
    assert set(after.watches) == {"web-p"}
    assert after.outcomes["api"] is Outcome.ROLLING_OUT
