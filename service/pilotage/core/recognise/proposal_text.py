"""A proposal as the text of `.pilotage.yaml`, with the reason of each line.

What the repository says stands in it as data: quoted where YAML would read it as something else,
and cut where it is long.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from pilotage.core.recognise import Family, Findings, Member, Place, Source
from pilotage.core.recognise.proposal import Proposal, Proposed
from pilotage.core.recognise.words import words
from pilotage.core.wording import counted, listed

WIDTH = 80
_SERVICE = "{service}"
_MOST_NAMED = 4
_MOST_LEFT_OUT = 10
_APPLICATIONS = "`auto`: the Argo CD applications that read a service's files."
_PRESET = (
    "Brings a soak, boxes for the reviewers and a verification to each environment with `from`. "
    "What is written here wins."
)
_MODE = "Decides and explains, and writes nothing. `propose` lets it open pull requests."
_LONGEST = 120
_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9_./{}\[\]=:@-]*[A-Za-z0-9_}\]])?")
_OTHER_TYPES = words("y n yes no on off true false null nan inf")


def config_text(proposal: Proposal, findings: Findings, commit: str) -> str:
    """The whole file; it loads as it is."""
    lines = [*_head(findings, commit), "version: 1", "pipelines:"]
    for index, each in enumerate(proposal.written):
        lines += [""] if index else []
        lines += _indented(_pipeline(each, first=index == 0), "  ")
    if proposal.left_out:
        lines += ["", *_left_out(proposal.left_out)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _head(findings: Findings, commit: str) -> Iterator[str]:
    files = counted(findings.files, "file")
    yield from _comment(
        "Pilotage brings a version that succeeded in one environment to the next, by a pull "
        f"request that people review. `pilotage init` proposes this after a look at {files} at "
        f"{commit[:7]}: read it, and change what your team does otherwise. Then:"
    )
    yield "#"
    yield "#   pilotage check --config .pilotage.yaml   is it right?"
    yield "#   pilotage plan --config .pilotage.yaml    what would be promoted now?"
    yield "#"
    yield from _comment("Once it is committed, neither needs `--config`.")


def _left_out(proposed: Sequence[Proposed]) -> Iterator[str]:
    """How to get a pipeline for each of the others, as far as they can be read."""
    yield from _comment(
        "Left out: more files that environments have side by side, some perhaps with something "
        "else's version. `pilotage init --print` with one of these writes a pipeline:",
        2,
    )
    for each in proposed[:_MOST_LEFT_OUT]:
        yield f"  #   --files '{each.family.files}'"
        yield f"  #     ({_cut(_where(each.family), 60)})"
    if len(proposed) > _MOST_LEFT_OUT:
        more = len(proposed) - _MOST_LEFT_OUT
        yield from _comment(f"and {more} more, which `pilotage init --json` lists.", 2)


def _where(family: Family) -> str:
    """The path of the version; the keys themselves where each is a service's name."""
    path = family.rules[0].path
    return listed(each.places[0].path for each in family.members) if path == _SERVICE else path


def _pipeline(proposed: Proposed, *, first: bool) -> list[str]:
    """One pipeline, from its name on, without indentation. The first explains what all have."""
    family = proposed.family
    lines = [*_comment(reason(proposed)), f"{_scalar(proposed.name)}:"]
    body = [
        *(_comment(_MODE) if first else ()),
        "mode: observe",
        *(_comment(_PRESET) if first else ()),
        f"preset: {proposed.preset}",
        f"files: {_scalar(family.files)}",
        *_without(family.without),
        "promote:",
        *_indented(_rules(family.rules, proposed.doubtful), "  "),
        *_also(family.members),
        *_services(proposed),
        "environments:",
        *_indented(_environments(proposed, first=first), "  "),
    ]
    return [*lines, *_indented(body, "  ")]


def reason(proposed: Proposed) -> str:
    """Why this is a pipeline: how many files, of what, with an example."""
    family = proposed.family
    services = len(family.members)
    last = [*proposed.sources][-1]
    member = next((each for each in family.members if last in each.versions), family.members[0])
    environment = last if last in member.versions else next(iter(member.versions))
    path = _cut(member.read.group.files[environment])
    files = len(family.paths)
    who = f"{counted(services, 'service')}: " if services > 1 else ""
    differ = f"{files} files differ only in {_listed(proposed.sources)}, such as {path}"
    value = _cut(member.versions[environment], 40)
    if any(family.has_own(each) for each in family.members):
        version = f"The version is {_cut(member.places[0].path)} there ({value})"
    elif family.rules[0].path == _SERVICE:
        version = f"The version is the value of the service's name ({value} in that one)"
    else:
        version = (
            f"The version is {_cut(family.rules[0].path)} in all of them ({value} in that one)"
        )
    return f"{who}{differ}. {version}."


def _rules(rules: Sequence[Place], doubtful: bool) -> Iterator[str]:
    if doubtful:
        yield from _comment("Is this what you promote? It may be something else's version.")
    for index, rule in enumerate(rules):
        kind = "image" if rule.is_image else "copy"
        what = "the tag inside the image" if rule.is_image else "the version"
        told = f"   # {what}: the next environment gets it" if index == 0 else ""
        line = f"- {kind}: {_scalar(rule.path)}"
        yield line + told if len(line + told) <= WIDTH - 6 else line
        if rule.document is not None:
            yield f"  document: {_scalar(rule.document)}"


def _also(members: Sequence[Member]) -> Iterator[str]:
    places = list(dict.fromkeys(place for each in members for place in each.read.also))
    if not places:
        return
    yield from _comment("These look like versions too. Add those that must move with it:", 2)
    for place in places[:_MOST_NAMED]:
        yield f"  # - {'image' if place.is_image else 'copy'}: {_scalar(_cut(place.path))}"
        if place.document is not None:
            yield f"  #   document: {_scalar(_cut(place.document))}"


def _without(services: Sequence[str]) -> Iterator[str]:
    if services:
        names = listed(services, _MOST_NAMED)
        yield from _comment(f"Nothing is promoted for {names}: such a file there has no version.")


def _services(proposed: Proposed) -> Iterator[str]:
    """Those that `files` does not tell, and those with rules of their own."""
    family = proposed.family
    own = [each for each in family.members if family.has_own(each)]
    named = family.names_services or not family.members[0].service
    if named and not own:
        return
    yield "services:"
    for each in own if named else family.members:
        if each not in own:
            yield f"  {_scalar(each.service)}: {{}}"
            continue
        yield f"  {_scalar(each.service)}:"
        yield "    promote:"
        yield from _indented(_own_rules(each.places), "      ")


def _own_rules(places: Iterable[Place]) -> Iterator[str]:
    for place in places:
        yield f"- {'image' if place.is_image else 'copy'}: {_scalar(place.path)}"
        if place.document is not None:
            yield f"  document: {_scalar(place.document)}"


def _environments(proposed: Proposed, *, first: bool) -> Iterator[str]:
    if first:
        yield from _comment(_APPLICATIONS)
    for name, (versions, files) in proposed.family.silent_environments.items():
        moving = [
            each.read.moving[name] for each in proposed.family.members if name in each.read.moving
        ]
        said = f"; others say a name that moves, such as `{_cut(moving[0])}`" if moving else ""
        few = "none" if versions == 0 else f"{versions}"
        shared = len(proposed.family.members) > 1 and not proposed.family.names_services
        what = counted(files, "value" if shared else "file")
        are = "is a version" if shared else "say a version"
        told = f"{few} of {what} there {are}" if files > 1 else "its file says no version"
        text = f"{name} is left out: {told}{said}."
        yield from _comment(text)
    for name, source in proposed.sources.items():
        yield f"{_scalar(name)}:"
        yield from _indented(_from(source), "  ") if source is not None else ()
        yield from _indented(_plain(proposed, name), "  ")
        yield "  applications: auto"


def _from(source: Source) -> Iterator[str]:
    if source.others:
        others = _listed(source.others, "or")
        yield from _comment(f"Or from {others}? The names do not tell the order: please say.")
    yield f"from: {_scalar(source.name)}"


def _plain(proposed: Proposed, environment: str) -> Iterator[str]:
    """The files of the environment that they do not name."""
    plain = proposed.family.plain
    if plain is not None and plain[0] == environment:
        file = plain[1].rsplit("/", 1)[-1]
        yield from _comment(f"{file} names no environment: is it {environment}'s?")
        yield f"files: {_scalar(plain[1])}"


def _scalar(text: str) -> str:
    """As plain as YAML reads it back as this very text."""
    plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _OTHER_TYPES
    return text if plain else json.dumps(text, ensure_ascii=False)


def _comment(text: str, indent: int = 0) -> list[str]:
    start = f"{' ' * indent}# "
    return textwrap.wrap(
        text,
        WIDTH - 8,
        initial_indent=start,
        subsequent_indent=start,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _indented(lines: Iterable[str], by: str) -> list[str]:
    return [by + line for line in lines]


def _listed(names: Iterable[str], last: str = "and") -> str:
    *most, one = names
    return f"{', '.join(most)} {last} {one}" if most else one


def _cut(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
