"""`pilotage init`: looks at a clone, and proposes a configuration for it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pilotage.cli.clone import HERE, ClonePath, commit_of, from_here, reads_clone
from pilotage.cli.init_told import as_document, told, unknown
from pilotage.cli.output import AsJson, Exit, fail, print_json, say

if TYPE_CHECKING:
    from pilotage.adapters.git import Entry, GitStore
    from pilotage.core.recognise import Findings
    from pilotage.core.recognise.proposal import Proposal

_LARGEST = 256 * 1024
_LARGEST_TOGETHER = 32 * 1024 * 1024

Files = Annotated[
    str | None,
    typer.Option(
        "--files",
        metavar="PATTERN",
        help="The files, such as apps/{service}/{environment}/values.yaml.",
    ),
]
Promote = Annotated[
    list[str] | None,
    typer.Option(
        "--promote",
        metavar="VALUE",
        help="Where a version stands in them, such as image.tag. May be repeated.",
    ),
]

Source = Annotated[
    str | None, typer.Option("--from", metavar="NAME", help="The environment to promote from.")
]
Target = Annotated[
    str | None, typer.Option("--to", metavar="NAME", help="The environment to promote to.")
]
OnlyPrint = Annotated[bool, typer.Option("--print", help="Print the file, and write nothing.")]


@reads_clone
def init(
    path: ClonePath = HERE,
    files: Files = None,
    promote: Promote = None,
    source: Source = None,
    target: Target = None,
    only_print: OnlyPrint = False,
    as_json: AsJson = False,
) -> None:
    """Propose a `.pilotage.yaml` for a clone.

    Looks for files that differ only in an environment's name and for the versions in them, at the
    commit that is checked out. Writes a file with comments in `mode: observe`; never over one that
    is there.

    Exit code 1: the layout was not recognised, or there is a `.pilotage.yaml` already.
    """
    asked = _Asked(files, tuple(promote or ()), _given(source, target))
    _check(asked)
    clone = _open(path, only_print=only_print)
    findings = _findings(clone, asked)
    proposal, text = _proposal(findings, clone, asked=asked.files is not None)
    if text and not only_print:
        _write(clone, text)
    place = "" if path == HERE else f" {shlex.quote(str(path))}"
    if as_json:
        print_json(as_document(clone.commit, findings, proposal, text, written=not only_print))
    elif not text:
        for line in unknown(findings, clone.commit, asked.files, asked.promote, place):
            say(line)
    elif only_print:
        say(text.removesuffix("\n"))
    elif clone.target is not None:
        for line in told(findings, proposal, clone.commit, place, from_here(clone.target)):
            say(line)
    if not text:
        raise typer.Exit(int(Exit.NO))


@dataclass(frozen=True, slots=True)
class _Asked:
    files: str | None
    promote: tuple[str, ...]
    names: tuple[str, ...]
    """The environments, first the one to promote from; empty when they are to be found."""


@dataclass(frozen=True, slots=True)
class _Clone:
    git: GitStore
    commit: str
    name: str
    """What the repository is called here."""
    target: Path | None
    """Where the file goes; None when it is only printed."""


def _given(source: str | None, target: str | None) -> tuple[str, ...]:
    if (source is None) is not (target is None):
        fail("--from and --to go together: name both environments", Exit.USAGE)
    return () if source is None or target is None else (source, target)


def _check(asked: _Asked) -> None:
    import re

    from pilotage.core.config.values import NAME

    for name in asked.names:
        if re.fullmatch(NAME, name) is None or len(name) > 60:
            fail(f"{name!r} is no name of an environment: letters, digits and . _ -", Exit.USAGE)
    if len(set(asked.names)) == 1:
        fail("--from and --to name the same environment", Exit.USAGE)
    if asked.files is None:
        if asked.promote:
            fail("--promote needs --files: which files have that value?", Exit.USAGE)
        return
    if "{environment}" not in asked.files:
        example = "apps/{service}/{environment}/values.yaml"
        fail(f"--files must contain {{environment}}, such as {example}", Exit.USAGE)
    parts = {part.lower() for part in asked.files.split("/")}
    if parts & {"", ".", "..", ".git"} or not asked.files.isprintable():
        fail("--files must be a path inside the repository", Exit.USAGE)
    for pattern in (asked.files, *asked.promote):
        other = re.search(r"\{(?!(?:service|environment)\})\w*\}", pattern)
        if other is not None:
            fail(f"nothing fills {other[0]}; there are {{environment}}, {{service}}", Exit.USAGE)


def _open(path: Path, *, only_print: bool) -> _Clone:
    """Ends with USAGE where there is no commit, with NO where there is a configuration."""
    from git import Repo

    from pilotage.adapters.git import GitStore, Missing
    from pilotage.core.config.load import FILE

    git = GitStore.local(path)
    commit = commit_of(git, path, None)
    present = git.read_files(commit, [FILE])[FILE]
    with Repo(path, search_parent_directories=True) as repository:
        folder = repository.working_tree_dir
    if only_print:
        return _Clone(git, commit, _name(git, folder), None)
    if folder is None:
        fail(f"{path} has no files, only commits: use --print", Exit.USAGE)
    target = Path(folder) / FILE
    if not isinstance(present, Missing) or target.is_symlink() or target.exists():
        fail(f"there is a {FILE} already, and it stays as it is: --print shows a new one", Exit.NO)
    return _Clone(git, commit, _name(git, folder), target)


def _name(git: GitStore, folder: str | PathLike[str] | None) -> str:
    return Path(folder).name if folder is not None else git.path.name.removesuffix(".git")


def _findings(clone: _Clone, asked: _Asked) -> Findings:
    from pilotage.core.recognise import Names, Unordered, recognise, recognise_asked

    entries = _entries(clone)
    paths = [*entries]

    def read(wanted: Sequence[str]) -> Mapping[str, str | None]:
        return _texts(clone, [entries[path] for path in wanted])

    names = Names(asked.names)
    if asked.files is None:
        return recognise(paths, read, names)
    found = recognise_asked(paths, read, names, asked.files, asked.promote)
    if isinstance(found, Unordered):
        first, *_, last = found.environments
        listed = ", ".join(found.environments[:10])
        fail(
            f"these files are of the environments {listed}; say which order they have, "
            f"such as --from {first} --to {last}",
            Exit.NO,
        )
    return found


def _entries(clone: _Clone) -> dict[str, Entry]:
    """Every regular file of the commit: names, no contents."""
    from pilotage.adapters.git import Kind

    every = clone.git.list_files(clone.commit, [""])
    return {each.path: each for each in every if each.kind in (Kind.FILE, Kind.EXECUTABLE)}


def _texts(clone: _Clone, entries: Sequence[Entry]) -> dict[str, str | None]:
    """In one git process. None: too large, too much together, or no UTF-8 text."""
    together, ids = 0, []
    for entry in entries:
        if entry.size <= _LARGEST and together + entry.size <= _LARGEST_TOGETHER:
            together += entry.size
            ids.append(entry.id)
    contents = clone.git.read_blobs(ids)
    return {entry.path: _decoded(contents.get(entry.id)) for entry in entries}


def _decoded(content: bytes | None) -> str | None:
    try:
        return None if content is None else content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _proposal(findings: Findings, clone: _Clone, *, asked: bool) -> tuple[Proposal, str]:
    """The proposal and its text; the text is empty when nothing was recognised."""
    from pilotage.core.config.load import ConfigError, load_config
    from pilotage.core.recognise.proposal import propose
    from pilotage.core.recognise.proposal_text import config_text
    from pilotage.resources import presets

    proposal = propose(findings, clone.name, asked=asked)
    if not proposal.written:
        return proposal, ""
    text = config_text(proposal, findings, clone.commit)
    try:
        load_config(text, presets())
    except ConfigError as error:
        fail(f"what was recognised makes no configuration that can be used: {error}", Exit.NO)
    return proposal, text


def _write(clone: _Clone, text: str) -> None:
    """Never over a file, nor through a link, that came meanwhile."""
    assert clone.target is not None
    try:
        with clone.target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        fail(f"{clone.target} cannot be written: {error.strerror}", Exit.NO)
