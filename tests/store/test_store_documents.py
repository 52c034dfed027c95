"""Documents come back exactly as they were written, and across versions as well as can be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, TypeVar, get_args

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pilotage.core.acts import Act, Result
from pilotage.core.model import Promotion, State, Target
from pilotage.core.rollout.watch import Watch
from pilotage.engine.mail import Letter, opened, posted
from pilotage.store import UnreadableDocument
from pilotage.store.documents import (
    ACT,
    PAYLOAD,
    PROMOTION,
    RESULT,
    TARGET,
    Document,
    target_text,
)
from tests.store.examples import NOW, a_notice, a_promotion
from tests.store.strategies import JSON, KEYS, values

relaxed = settings(
    max_examples=25,
    # Making a failing value smaller takes minutes here, and its difference is shown anyway.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


T = TypeVar("T")


def and_back(document: Document[T], value: T) -> T:
    return document.read(document.text(value), "a test")


@relaxed
@given(values(Promotion))
def test_every_promotion_comes_back_unchanged(promotion: Promotion) -> None:
    assert and_back(PROMOTION, promotion) == promotion


@relaxed
@given(values(Watch))
def test_every_watch_comes_back_unchanged_inside_its_promotion(watch: Watch) -> None:
    promotion = replace(a_promotion(), watches={"shop-production": watch})
    assert and_back(PROMOTION, promotion) == promotion


@relaxed
@given(values(Target).map(lambda target: replace(target, proposal=None, release=None)))
def test_every_target_comes_back_unchanged(target: Target) -> None:
    bare = replace(target, wake_at=None)
    assert TARGET.read(target_text(target), "a test") == bare


@pytest.mark.parametrize("kind", get_args(Act), ids=lambda kind: str(kind.__name__))
@relaxed
@given(data=st.data())
def test_every_act_comes_back_unchanged_and_of_its_own_type(kind: type[Act], data: Any) -> None:
    act = data.draw(values(kind))
    assert and_back(ACT, act) == act
    assert type(and_back(ACT, act)) is kind


@pytest.mark.parametrize("kind", get_args(Result), ids=lambda kind: str(kind.__name__))
@relaxed
@given(data=st.data())
def test_every_result_comes_back_unchanged(kind: type[Result], data: Any) -> None:
    result = data.draw(values(kind))
    assert and_back(RESULT, result) == result


@relaxed
@given(values(Letter))
def test_every_letter_travels_as_the_payload_of_mail(letter: Letter) -> None:
    mail = posted("shop/production", letter, NOW)
    stored = and_back(PAYLOAD, dict(mail.payload))
    assert opened(replace(mail, payload=stored)) == letter


@relaxed
@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_every_payload_comes_back_unchanged_and_is_stored_as_plain_ascii(payload: Any) -> None:
    assert and_back(PAYLOAD, payload) == payload
    assert PAYLOAD.text(payload).isascii()
    assert "\0" not in PAYLOAD.text(payload)


def test_fields_of_a_newer_version_are_passed_over() -> None:
    plain = json.loads(PROMOTION.text(a_promotion()))
    plain["mood"] = {"unheard": "of"}
    plain["changes"][0]["colour"] = "blue"
    assert PROMOTION.read(json.dumps(plain), "promotion p1") == a_promotion()


def test_fields_that_an_older_version_did_not_have_take_their_defaults() -> None:
    plain = json.loads(PROMOTION.text(replace(a_promotion(), retries=3)))
    for name in ("retries", "superseded", "hold", "watches"):
        del plain[name]
    assert PROMOTION.read(json.dumps(plain), "promotion p1") == a_promotion()


@pytest.mark.parametrize(
    ("field", "value"), [("state", "levitating"), ("number", "many"), ("created_at", None)]
)
def test_a_document_that_does_not_fit_is_named_without_being_shown(
    field: str, value: object
) -> None:
    plain = json.loads(PROMOTION.text(a_promotion())) | {field: value, "branch": "secret"}
    with pytest.raises(UnreadableDocument) as caught:
        PROMOTION.read(json.dumps(plain), "promotion p1")
    assert "promotion p1" in str(caught.value)
    assert caught.value.fields == (field,)
    assert "secret" not in str(caught.value)
    assert str(value) not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_act_of_a_kind_that_nobody_knows_is_an_error() -> None:
    plain = json.loads(ACT.text(a_notice())) | {"kind": "levitate"}
    with pytest.raises(UnreadableDocument, match="act k"):
        ACT.read(json.dumps(plain), "act k")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"'])
def test_what_is_no_document_at_all_is_an_error(text: str) -> None:
    with pytest.raises(UnreadableDocument, match="promotion p1"):
        PROMOTION.read(text, "promotion p1")


def test_the_targets_document_does_not_repeat_its_promotions_and_wake() -> None:
    """They have rows and a column of their own, which other writers change."""
    proposal = a_promotion(state=State.OPEN)
    target = Target("t", "acme/gitops", "shop", "production", proposal=proposal, wake_at=NOW)
    plain = json.loads(target_text(target))
    assert (plain["proposal"], plain["release"], plain["wake_at"]) == (None, None, None)
