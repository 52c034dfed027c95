"""A number, a boolean and null stay what they are: promoted, stored and put back (SYRF-10)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.change import ServiceChange
from pilotage.core.config.load import load_config
from pilotage.core.config.policy import Pipeline
from pilotage.core.places import FileText
from pilotage.core.plan import Tree, joined, plan
from pilotage.core.revert import ByValue, beyond_promoted, plan_revert
from pilotage.resources import presets
from pilotage.store.documents import PROMOTION
from tests.unit.core.worlds import release

FILE = "production.yaml"
COPIED = "[{ copy: tag }, { copy: flag }]"


def _pipeline(promote: str) -> Pipeline:
    environments = "{ staging: {}, production: { from: staging } }"
    shop = f"{{ files: '{{environment}}.yaml', promote: {promote}, environments: {environments} }}"
    return load_config(f"version: 1\npipelines: {{ shop: {shop} }}\n", presets()).pipelines["shop"]


def _tree(environment: str, text: str) -> Tree:
    path = f"{environment}.yaml"
    return Tree(environment, "a" * 40, {path: FileText(path, text)})


@dataclass(frozen=True)
class Promoted:
    """Production's file after a promotion, and the change as the store gives it back."""

    text: str
    change: ServiceChange

    def put_back(self) -> str | None:
        found = plan_revert(release(changes=(self.change,)), ["shop"], {FILE: self.text})
        assert isinstance(found, ByValue)
        return found.files[FILE]


def _promote(staging: str, production: str, promote: str = COPIED) -> Promoted:
    trees = _tree("staging", staging), _tree("production", production)
    planned = plan(_pipeline(promote), *trees)
    assert not planned.problems
    stored = PROMOTION.read(PROMOTION.text(release(changes=planned.changes)), "a test")
    return Promoted(joined(list(planned.services.values()))[FILE], stored.changes[0])


@pytest.mark.parametrize(
    ("staging", "production", "promoted"),
    [
        ("tag: 1235\nflag: true\n", "tag: 1234\nflag: false\n", "tag: 1235\nflag: true\n"),
        ("tag: v2\nflag: true\n", "tag: # none\nflag: ~\n", "tag: v2 # none\nflag: true\n"),
        ("tag: v2\nflag: 'true'\n", "tag: 1.10\nflag: no # c\n", 'tag: v2\nflag: "true" # c\n'),
        ("tag: 1.1\nflag: 'on'\n", "tag: '1.0'\nflag: off\n", "tag: '1.1'\nflag: \"on\"\n"),
        ("{tag: 2, flag: 1e3}", "{tag: v1, flag: 0x1F}", "{tag: 2, flag: 1e3}"),
        ('{"tag": 2, "flag": null}', '{"tag": "1", "flag": 5}', '{"tag": "2", "flag": null}'),
    ],
)
@pytest.mark.runbook("SYRF-10")
def test_what_is_no_string_goes_back_byte_for_byte(
    staging: str, production: str, promoted: str
) -> None:
    """`false` put back as `"false"` would be true to every template of Helm's."""
    found = _promote(staging, production)
    assert found.text == promoted
    assert found.put_back() == production


def test_a_merge_that_set_numbers_did_no_more_than_was_promoted() -> None:
    old = "tag: 1234\nflag: false\n"
    found = _promote("tag: 1235\nflag: true\n", old)
    assert beyond_promoted([found.change], [FILE], {FILE: old}, {FILE: found.text}) == ()


NUMBERS = ["1", "01", "1.10", "1e3", "0x1F", "0o17"]
OTHERS = ["", "v1", "true", "no", "~", "null", "2026-11-21", "1:30", "'x'", "'1'", '"yes"']


@pytest.mark.parametrize(
    ("to", "promoted"),
    [("3", "3"), ("'3'", '"3"'), ("true", "true"), ("'{environment}'", "production")],
)
def test_a_fixed_value_is_what_the_configuration_says(to: str, promoted: str) -> None:
    """`to: 3` writes a number, `to: "3"` a string."""
    rules = f"[{{ copy: tag }}, {{ set: flag, to: {to} }}]"
    found = _promote("tag: v2\n", "tag: v1\nflag: 0 # c\n", rules)
    assert found.text == f"tag: v2\nflag: {promoted} # c\n"
    assert found.put_back() == "tag: v1\nflag: 0 # c\n"


SCALARS = st.sampled_from(NUMBERS + OTHERS)


@given(staging=st.tuples(SCALARS, SCALARS), production=st.tuples(SCALARS, SCALARS))
def test_any_scalar_goes_back_as_what_it_was(
    staging: tuple[str, str], production: tuple[str, str]
) -> None:
    """To a reader that the editor does not use; a string may keep quotes that it needed."""
    texts = [f"tag: {tag}\nflag: {flag}\nown: 1.0 # kept\n" for tag, flag in (staging, production)]
    planned = plan(_pipeline(COPIED), _tree("staging", texts[0]), _tree("production", texts[1]))
    if planned.changes:
        back = _promote(*texts).put_back()
        assert back is not None
        assert repr(yaml.safe_load(back)) == repr(yaml.safe_load(texts[1]))
