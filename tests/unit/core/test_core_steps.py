"""What a commit did to the promoted values: what stood there before decides how it goes back."""

from __future__ import annotations

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
