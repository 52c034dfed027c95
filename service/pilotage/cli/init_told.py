"""What `pilotage init` says of what it saw."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pilotage.core.wording import counted

if TYPE_CHECKING:
    from pilotage.core.recognise import Findings, Group, Source
    from pilotage.core.recognise.proposal import Proposal, Proposed

_WIDTH = 80
_MOST_CHANGES = 5
_MOST_EXAMPLES = 3
_PATTERN = "apps/{service}/{environment}/values.yaml"


def told(
    findings: Findings, proposal: Proposal, commit: str, place: str, file: str
) -> Iterator[str]:
    """For a team's first minute: what was recognised, what it would do now, and what comes next.

    The commands can be pasted as they are: `place` is their argument, `file` what was written.
    """
    yield from _wrapped(_looked(findings, commit))
    for each in proposal.written:
        yield ""
        yield from _pipeline(each)
    more = len(proposal.left_out)
    if more:
        yield ""
        groups = counted(more, "more group")
        yield f"{groups} of files might be promoted too: see the end of the file."
    yield ""
    yield from _wrapped(
        "Wrote .pilotage.yaml, in `mode: observe`: Pilotage decides and explains, and changes "
        "nothing. Read it, then:"
    )
    yield ""
    yield f"  pilotage check{place} --config {file}   is it right?"
    yield f"  pilotage plan{place} --config {file}    the exact changes"


def _looked(findings: Findings, commit: str) -> str:
    names = "name" if findings.looked_at == 1 else "names"
    text = f"Looked at the {names} of {counted(findings.looked_at, 'file')} at {commit[:7]}"
    if findings.looked_at < findings.files:
        text += f" (of {findings.files:,}; the others were too many)"
    text += f", and into {findings.read:,} that several environments have."
    if findings.skipped:
        text += f" {findings.skipped:,} more such files were too many to read."
    return text


def _pipeline(proposed: Proposed) -> Iterator[str]:
    from pilotage.core.recognise.proposal_text import reason

    yield f"{proposed.name} ({proposed.preset})"
    yield from _wrapped(reason(proposed), "  ")
    for line in _paths(proposed.sources):
        yield f"  {line}"
    changes = proposed.changes
    if not changes:
        yield "  Every environment has the same versions: nothing to promote now."
        return
    target = changes[0].environment
    some = [each for each in changes if each.environment == target]
    count = counted(len(some), "version")
    source = proposed.sources[target]
    yield f"  Now {target} differs from {source.name if source else ''} in {count}:"
    for each in some[:_MOST_CHANGES]:
        yield f"    {each.service}: {_cut(each.before)} -> {_cut(each.after)}"
    if len(some) > _MOST_CHANGES:
        yield f"    and {len(some) - _MOST_CHANGES} more"


def _paths(sources: Mapping[str, Source | None]) -> Iterator[str]:
    """The way of a version: `dev -> staging -> production`, one line for each last environment."""
    origins = {source.name for source in sources.values() if source is not None}
    for name in sources:
        if name not in origins:
            way, at = [name], sources[name]
            while at is not None:
                way.append(at.name)
                at = sources[at.name]
            if len(way) > 1:
                yield " -> ".join(reversed(way))
    unsure = [name for name, source in sources.items() if source is not None and source.others]
    if unsure:
        count = counted(len(unsure), "environment")
        yield f"What {count} should follow is a guess: see the comments of the file."


def unknown(
    findings: Findings, commit: str, files: str | None, promote: Sequence[str], place: str
) -> Iterator[str]:
    """What was seen instead, and what to say so that it is understood."""
    yield from _wrapped(
        "This layout was not recognised, and nothing was written: no versions were found that "
        "stand side by side for two environments."
    )
    yield ""
    yield from _wrapped(_looked(findings, commit))
    for line in _seen(findings, files, promote):
        yield from _wrapped(line, "- ", "  ")
    yield ""
    yield from _wrapped("Say where the versions stand, and it will be written:")
    yield ""
    example = _example(findings, files, promote)
    yield f"  pilotage init{place} {example}"
    yield ""
    path = "`PATH` is where the version stands, such as image.tag. " if "PATH" in example else ""
    yield from _wrapped(
        path
        + "`{environment}` stands for the environment's name in the path and `{service}` for the "
        "service's, if it is there. `--from` and `--to` name environments that are called "
        "otherwise than usual. When nothing fits, docs/layouts.md lists what does."
    )


def _seen(findings: Findings, files: str | None, promote: Sequence[str]) -> Iterator[str]:
    misses = findings.misses
    if files is not None and not findings.side_by_side:
        yield f"No two environments have a file that matches {files}."
    elif findings.otherwise is not None:
        yield (
            "No files that are called YAML or JSON differ only in the name of an environment. "
            f"These do, and can be read as such: {_group(findings.otherwise)}."
        )
    elif not findings.side_by_side and findings.names.given:
        yield f"No two files differ only in the names {' and '.join(findings.names.given)}."
    elif not findings.side_by_side:
        yield (
            "No two files differ only in the name of an environment, such as dev, staging and "
            "production. Are the environments in branches, or in other repositories?"
        )
    if misses.moving:
        group, place, values = misses.moving[0]
        said = ", ".join(
            f"`{_cut(value)}` in {_called(group, name)}" for name, value in values.items()
        )
        yield (
            f"{_files(len(misses.moving), group)}: {_cut(place.path)} is {said}. A name that "
            "moves is no version. Let CI write the version that it built, and ask again."
        )
    if misses.silent:
        example = next((each for each in misses.silent if each.plain is None), misses.silent[0])
        these = _files(len(misses.silent), example)
        asked = f"not two environments have {', '.join(promote)}"
        yield f"{these}: {asked if promote else 'no value there looks like a version'}."
    if findings.suggested:
        yield f"What looks like a version there: {', '.join(findings.suggested[:_MOST_EXAMPLES])}."
    if misses.unreadable:
        shown = ", ".join(_cut(path) for path in misses.unreadable[:_MOST_EXAMPLES])
        yield f"{len(misses.unreadable)} of them are not YAML or JSON, or too large: {shown}."


def _files(count: int, example: Group) -> str:
    many = counted(count, "group of files", "groups of files")
    return f"{many}, such as {_group(example)}"


def _group(group: Group) -> str:
    names = (_called(group, name) for name in [*group.files][:6])
    return f"{_cut(group.key)} ({', '.join(names)})"


def _called(group: Group, name: str) -> str:
    """The environment; or its file, where no name in it says which environment it is of."""
    return group.files[name].rpartition("/")[2] if name == group.plain else name


def _example(findings: Findings, files: str | None, promote: Sequence[str]) -> str:
    """Options that can be pasted as soon as what they say is true; PATH where nobody knows it."""
    groups = [group for group, _, _ in findings.misses.moving] or [*findings.misses.silent]
    named = [group.key for group in groups if group.plain is None]
    known = min((key for key in named if "values" in key), default=None)
    other = findings.otherwise.key if findings.otherwise is not None else None
    pattern = findings.nearest or files or known or other
    if pattern is None:
        return f"--files '{_PATTERN}' --promote image.tag"
    if findings.nearest is not None:
        values: Sequence[str] = promote
    else:
        values = findings.suggested[:1] or ("PATH",)
    said = "".join(f" --promote {shlex.quote(value)}" for value in values)
    return f"--files {shlex.quote(pattern)}{said}"


def as_document(
    commit: str, findings: Findings, proposal: Proposal, text: str, *, written: bool
) -> dict[str, Any]:
    misses = findings.misses
    listed = (
        ("written", proposal.written),
        ("left out", proposal.left_out),
    )
    return {
        "commit": commit,
        "files": findings.files,
        "looked_at": findings.looked_at,
        "side_by_side": findings.side_by_side,
        "read": findings.read,
        "skipped": findings.skipped,
        "written": written and bool(text),
        "config": text or None,
        "pipelines": [
            {"stands": stands, **_described(each)} for stands, some in listed for each in some
        ],
        "not_understood": {
            "moving": [
                {"files": group.key, "path": place.path, "values": dict(values)}
                for group, place, values in misses.moving
            ],
            "without_version": [group.key for group in misses.silent],
            "unreadable": [*misses.unreadable],
        },
    }


def _described(proposed: Proposed) -> dict[str, Any]:
    from pilotage.core.recognise.proposal_text import reason

    family = proposed.family
    return {
        "name": proposed.name,
        "preset": proposed.preset,
        "files": family.files,
        "reason": reason(proposed),
        "services": [*proposed.services],
        "without_version": [*family.without],
        "promote": [
            {"path": each.path, "image": each.is_image, "document": each.document}
            for each in family.rules
        ],
        "environments": [
            {
                "name": name,
                "from": source.name if source else None,
                "or_from": [*source.others] if source else [],
            }
            for name, source in proposed.sources.items()
        ],
        "changes": [
            {
                "service": each.service,
                "environment": each.environment,
                "before": each.before,
                "after": each.after,
            }
            for each in proposed.changes
        ],
    }


def _wrapped(text: str, first: str = "", rest: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _cut(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."
