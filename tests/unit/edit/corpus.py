"""What must hold of a file whoever wrote it: each scalar set to another value and back.

Used on the files of `tests/data/corpus`, on those that packages ship, and on any folder.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from pilotage.edit import EditRefused, Plain, Scalar, read_values, scalars, set_values

VALUES = ("v1.0", "1.10", "yes", "a: b # c", 'it\'s "é"', "0123456")
"""What YAML would take for something else, and what needs quotes."""


@dataclass(slots=True)
class Report:
    """What was done with one text. `refused`: reason to the number of scalars."""

    scalars: int = 0
    alone: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def check(text: str, *, together: int, alone: int) -> Report:
    """Sets and puts back the scalars of each document at once, then scalars one by one.

    Of a large text every n-th scalar is taken, so that there are `together` of them at most, and
    that `alone` characters are parsed at most for those that are set by themselves. Raises
    EditRefused for a text that cannot be read, and AssertionError.
    """
    report = Report()
    for document, group in _documents(scalars(text)).items():
        chosen = _sample(group, together)
        editable = _editable(text, document, chosen, report)
        report.scalars += len(chosen)
        _round(text, document, editable, VALUES)
        for place, scalar in enumerate(_sample(editable, alone // (len(text) + 1))):
            _round(text, document, [scalar], VALUES[place % len(VALUES) :])
            report.alone += 1
    return report


def _sample(group: list[Scalar], most: int) -> list[Scalar]:
    return group[:: max(-(-len(group) // max(most, 1)), 1)]


def _documents(found: Sequence[Scalar]) -> dict[int, list[Scalar]]:
    """Only what one path names: neither a key that stands twice, nor an empty document."""
    counts = Counter((scalar.document, scalar.path) for scalar in found)
    groups: dict[int, list[Scalar]] = defaultdict(list)
    for scalar in found:
        if counts[scalar.document, scalar.path] == 1 and (scalar.path != "." or scalar.source):
            groups[scalar.document].append(scalar)
    return groups


def _editable(text: str, document: int, group: list[Scalar], report: Report) -> list[Scalar]:
    """All of them, but for those that are refused, which are found by halves."""
    try:
        _set(text, document, group, VALUES)
    except EditRefused as refused:
        if len(group) > 1:
            half = len(group) // 2
            first = _editable(text, document, group[:half], report)
            return first + _editable(text, document, group[half:], report)
        report.refused[refused.reason] += 1
        return []
    return group


def _set(text: str, document: int, group: list[Scalar], values: Sequence[str]) -> str:
    wanted = _wanted(group, values)
    return set_values(text, wanted, document=document, block_scalars=True, shared=True)


def _wanted(group: list[Scalar], values: Sequence[str]) -> dict[str, str]:
    chosen = zip(group, cycle(values), strict=False)
    return {each.path: value if value != each.value else "another" for each, value in chosen}


def _round(text: str, document: int, group: list[Scalar], values: Sequence[str]) -> None:
    """Set at once: the new values are read, and nothing else has changed. And put back at once."""
    new = _set(text, document, group, values)
    wanted = _wanted(group, values)
    read = read_values(new, wanted, document=document)
    assert read == wanted
    assert not any(isinstance(value, Plain) for value in read.values())
    _check_rest(text, new, group)
    back = {scalar.path: scalar.source for scalar in group}
    assert set_values(new, back, document=document, block_scalars=True, shared=True) == text


def _check_rest(text: str, new: str, group: list[Scalar]) -> None:
    """Not one character outside the values is another."""
    if len(group) == 1:
        [scalar] = group
        before, after = text[: scalar.start], text[scalar.start + len(scalar.source) :]
        assert before + scalar.source + after == text
        assert new.startswith(before)
        assert new.endswith(after)
        return
    chosen = {(scalar.document, scalar.path): scalar for scalar in group}
    there = [each for each in scalars(new) if (each.document, each.path) in chosen]
    here = [chosen[each.document, each.path] for each in there]
    assert len(here) == len(group)
    for old_gap, new_gap, each in zip(
        _gaps(text, here), _gaps(new, there), [*here, None], strict=True
    ):
        # What was empty gets a space, too, between the colon and the value.
        is_empty = each is not None and not each.source
        assert new_gap == old_gap or (is_empty and new_gap == old_gap + " ")


def _gaps(text: str, found: list[Scalar]) -> Iterator[str]:
    at = 0
    for scalar in found:
        yield text[at : scalar.start]
        at = scalar.start + len(scalar.source)
    yield text[at:]
