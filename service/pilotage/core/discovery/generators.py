"""Which application an ApplicationSet makes of which file.

A git generator turns each file that its patterns match into parameters, and the template of the
name turns those into one application, which need not read the file itself. Of a template only what
is known here is filled in; the rest may be anything, and the child must be the file's own all the
same: a name that two files would fit is nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from posixpath import basename, dirname

from pilotage import edit
from pilotage.core.discovery.declared import ApplicationSet, Branch, FileGenerator
from pilotage.core.discovery.kustomizations import Texts
from pilotage.core.discovery.path_patterns import across_folders, in_folders

_LONGEST = 1000
_LONGEST_SHOWN = 200
_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_FIELD = re.compile(r"\$?(?:\.\w[\w-]*)+")
_INDEX = re.compile(r"index\s+(\.[\w.]+)\s+(?:(\d+)|\"([^\"]+)\")")
_CALL = re.compile(r"(\w+)((?:\s+\"[^\"]*\")*)")
_NOT_NORMAL = re.compile(r"[^-a-z0-9.]")
_LOOPS = re.compile(r"\s*(if|range|with|end|else|define|template|block)\b|.*:?=")


@dataclass(frozen=True, slots=True)
class Name:
    """A template filled with one file's parameters: its literal texts, with anything in between.

    A single text is the whole name.
    """

    texts: tuple[str, ...]
    own: bool
    """Whether a parameter of the file is in it."""

    @property
    def certain(self) -> int:
        return sum(map(len, self.texts))

    def fits(self, name: str) -> bool:
        """The texts in their order, from left to right: no backtracking."""
        first, *rest = self.texts
        if not rest:
            return name == first
        *middle, last = rest
        at, end = len(first), len(name) - len(last)
        if end < at or not (name.startswith(first) and name.endswith(last)):
            return False
        for text in middle:
            found = name.find(text, at, end)
            if found < 0:
                return False
            at = found + len(text)
        return True


@dataclass(frozen=True, slots=True)
class Made:
    """The applications that a set makes of a file; `unsure` where it cannot be told which."""

    children: tuple[str, ...]
    unsure: str = ""


def matching(
    generators: Iterable[FileGenerator], branch: Branch, file: str
) -> FileGenerator | None:
    """The first generator on this branch that takes a file."""
    for generator in generators:
        here = branch.is_in(generator.repository) and branch.is_followed_by(generator.revision)
        if here and takes(generator, file):
            return generator
    return None


def takes(generator: FileGenerator, file: str) -> bool:
    """Either dialect: which one Argo CD was started with is not to be seen, and what a pattern
    matches too much has no application."""

    def matched(written: str) -> bool:
        pattern = _ACTION.sub("*", written).removeprefix("./")
        return in_folders(pattern, file) or across_folders(pattern, file)

    return any(map(matched, generator.patterns)) and not any(map(matched, generator.excluded))


def made_of(
    application_set: ApplicationSet, branch: Branch, file: str, known: Iterable[str], texts: Texts
) -> Made:
    """What a set makes of a `file` that it takes, where it may also make something of the other
    `known` files."""
    names: dict[str, Name] = {}
    for each in {file, *known}:
        generator = matching(application_set.generators, branch, each)
        if generator is not None:
            template = (generator.name, application_set.go_template)
            names[each] = fill(*template, Parameters(generator, each, texts.get(each) or ""))
    ours = names[file]
    children = application_set.children
    if not ours.own and (len(children) > 1 or len(names) > 1):
        return Made((), f"its template of names, {_template(application_set)}, is not understood")
    fitting = tuple(name for name in children if ours.fits(name))
    others = [name for each, name in names.items() if each != file]
    mine, shared = [], []
    for child in fitting:
        best = max((name.certain for name in others if name.fits(child)), default=-1)
        if ours.certain > best:
            mine.append(child)
        elif ours.certain == best:
            shared.append(child)
    if not mine and shared:
        return Made((), f"{shared[0]} might be made of another file as well")
    return Made(tuple(mine))


def _template(application_set: ApplicationSet) -> str:
    names = sorted({" ".join(each.name.split()) for each in application_set.generators})
    return ", ".join(names)[:_LONGEST_SHOWN]


@dataclass(frozen=True, slots=True)
class Parameters:
    generator: FileGenerator
    file: str
    text: str

    def get(self, *names: str) -> str | None:
        prefix = (self.generator.prefix,) if self.generator.prefix else ()
        own = (*prefix, "path")
        if names[: len(own)] == own:
            return self._path(names[len(own) :])
        if names[0] == "values" and len(names) == 2:
            found = dict(self.generator.values).get(names[1])
            return found if found is not None and "{{" not in found else None
        return self._content(".".join(names))

    def _path(self, names: tuple[str, ...]) -> str | None:
        folder = dirname(self.file)
        known = {
            "": folder,
            "path": folder,
            "basename": basename(folder),
            "basenameNormalized": normalised(basename(folder)),
            "filename": basename(self.file),
            "filenameNormalized": normalised(basename(self.file)),
        }
        if names[:1] == ("segments",) and len(names) == 2:
            segments, at = folder.split("/"), int(names[1]) if names[1].isdigit() else -1
            return segments[at] if 0 <= at < len(segments) else None
        return known.get(".".join(names))

    def _content(self, path: str) -> str | None:
        try:
            found = edit.read_value(self.text, path)
        except edit.EditRefused:
            return None
        return str(found) if isinstance(found, str) else None


def normalised(text: str) -> str:
    """As Argo CD makes a name fit for DNS."""
    return _NOT_NORMAL.sub("-", text.lower()).strip("-.")


def fill(template: str, go_template: bool, parameters: Parameters) -> Name:
    """The name with what is known of this file; what is not understood may be anything."""
    actions = [found[1] for found in _ACTION.finditer(template)]
    if len(template) > _LONGEST or (go_template and any(map(_LOOPS.match, actions))):
        return Name(("", ""), own=False)
    texts, own = [""], False
    for text, action in _pieces(template):
        value = text if action is None else _value(action, go_template, parameters)
        if value is None:
            texts.append("")
        else:
            texts[-1] += value
            own = own or action is not None
    return Name(tuple(texts), own)


def _pieces(template: str) -> Iterator[tuple[str, str | None]]:
    end = 0
    for found in _ACTION.finditer(template):
        yield template[end : found.start()], None
        yield "", found[1]
        end = found.end()
    yield template[end:], None


def _value(action: str, go_template: bool, parameters: Parameters) -> str | None:
    return _go(action, parameters) if go_template else _fast(action, parameters)


def _fast(action: str, parameters: Parameters) -> str | None:
    """`{{path.basename}}`, `{{path[1]}}`, `{{service.name}}`."""
    name = action.strip()
    found = re.fullmatch(r"((?:[\w-]+\.)?path)\[(\d+)\]", name)
    if found:
        return parameters.get(*found[1].split("."), "segments", found[2])
    return parameters.get(*name.split("."))


def _go(action: str, parameters: Parameters) -> str | None:
    """A field, or an index of one, and those functions of sprig that names are made with."""
    first, *calls = (part.strip() for part in action.split("|"))
    if _FIELD.fullmatch(first):
        value = parameters.get(*first.lstrip("$").strip(".").split("."))
    elif found := _INDEX.fullmatch(first):
        value = parameters.get(*found[1].strip(".").split("."), found[2] or found[3])
    else:
        value = _called(first)
    for call in calls:
        found = _CALL.fullmatch(call)
        if value is None or found is None:
            return None
        value = _apply(found[1], re.findall(r'"([^"]*)"', found[2]), value)
    return value


def _called(text: str) -> str | None:
    """A function before its argument is not understood: such names may be anything."""
    return text[1:-1] if re.fullmatch(r'"[^"]*"', text) else None


def _apply(name: str, arguments: list[str], value: str) -> str | None:
    match name, arguments:
        case "lower", []:
            return value.lower()
        case "upper", []:
            return value.upper()
        case "trim", []:
            return value.strip()
        case "normalize", []:
            return normalised(value)
        case "default", [_]:
            return value
        case "replace", [old, new] if old:
            return value.replace(old, new)
        case "trimPrefix", [prefix]:
            return value.removeprefix(prefix)
        case "trimSuffix", [suffix]:
            return value.removesuffix(suffix)
        case _:
            return None
