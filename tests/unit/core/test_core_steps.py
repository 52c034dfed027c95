"""What a commit did to the promoted values: what stood there before decides how it goes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilotage.core.change import Part, ServiceChange, content_id
from pilotage.core.places import FileText
from pilotage.core.plan import Tree
from pilotage.core.steps import steps
from tests.unit.core.worlds import BASE, file_path, pipeline

API = file_path("production", "api")
NEW = "envName: production\nservice:\n  chartTag: api-v9.1.1\n"


def stepped(before: FileText | None, after: str = NEW) -> tuple[ServiceChange, ...]:
    files = {} if before is None else {API: before}
    chosen = pipeline().pipeline
    old = Tree("production", BASE, files)
    return steps(chosen, old, Tree("production", BASE, {API: FileText(API, after)}))


def whole(change: ServiceChange) -> list[tuple[str, str | None]]:
    files = [write for write in change.writes if write.part is Part.FILE]
    return [(write.file, write.before) for write in files]


def test_a_new_file_came_as_a_whole() -> None:
    (change,) = stepped(None)
    assert change.before is None
    assert whole(change) == [(API, None)]
    assert change.new
    assert {write.before for write in change.writes} == {None}


def test_a_file_that_could_not_be_read_came_as_a_whole_too() -> None:
    """What stood there is not known, so no single value of it can go back."""
    for broken in (FileText(API, "a: ["), FileText(API, "", "is a symlink")):
        (change,) = stepped(broken)
        assert whole(change) == [(API, content_id(broken.text.encode()))]


def test_an_inserted_version_leaves_the_other_values_what_they_were() -> None:
    (change,) = stepped(FileText(API, "envName: production\nservice:\n  enabled: true\n"))
    assert whole(change) == []
    assert [(write.path, write.before) for write in change.copied] == [("service.chartTag", None)]


def test_a_file_without_a_version_afterwards_is_left_out() -> None:
    assert stepped(FileText(API, NEW), "envName: production\n") == ()


MORE = pipeline(
    promote="[{ copy: service.chartTag }, { copy: service.replicas },"
    ' { copy: tag, in: "extra/{environment}/{service}.yaml" }]'
).pipeline
EXTRA = "extra/production/api.yaml"


def held(tag: str, replicas: str, extra: str) -> Tree:
    texts = {
        API: f"service: {{ chartTag: {tag}, replicas: '{replicas}' }}\n",
        EXTRA: f"tag: {extra}\n",
    }
    files = {path: FileText(path, text) for path, text in texts.items()}
    return Tree("production", BASE, files)


@pytest.mark.parametrize(
    ("after", "moved"),
    [
        (("v1", "2", "e1"), []),
        (("v2", "2", "e1"), ["service.chartTag"]),
        (("v1", "3", "e1"), ["service.replicas"]),
        (("v1", "2", "e2"), ["tag"]),
        (("v2", "3", "e2"), ["service.chartTag", "service.replicas", "tag"]),
    ],
)
def test_any_copied_value_in_any_file_is_a_step(
    after: tuple[str, str, str], moved: list[str]
) -> None:
    """Also where the version stays: else nobody would watch what a person changed there."""
    found = steps(MORE, held("v1", "2", "e1"), held(*after))
    assert [write.path for change in found for write in change.copied] == moved
    assert [(change.before, change.after) for change in found] == [("v1", after[0])] * bool(moved)


def test_each_file_that_came_goes_along_as_a_whole() -> None:
    """Of two, the one that was there already does not."""
    after = held("v2", "2", "e1")
    before = replace(after, files={EXTRA: after.files[EXTRA]})
    (change,) = steps(MORE, before, after)
    assert whole(change) == [(API, None)]
    (change,) = steps(MORE, replace(after, files={}), after)
    assert sorted(whole(change)) == [(EXTRA, None), (API, None)]
