"""The pages say what is there: links, settings, tables, commands and runbook rows are checked."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
import typer
import yaml
from pydantic import BaseModel

from pilotage.cli import build
from pilotage.core import gates
from pilotage.core.config import policy
from pilotage.core.config import rules as promote_rules
from pilotage.core.config.load import load_config
from pilotage.core.config.values import duration_text
from pilotage.core.model import State, Subject
from pilotage.resources import presets
from pilotage.settings import Settings
from pilotage.store.schema import metadata

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
RUNBOOKS = {"SYRF": 17, "ORDER": 13, "REGISTRY": 10, "CHECKOUT": 13, "VAPORA": 12}
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_ROW = re.compile(r"^\| ([A-Z]+-\d+) \| (.+?) \| (met|partly|not yet) \| (.*?) ?\|$", re.M)
_FOREIGN = re.compile(r"\.\./shared|/work/|/tmp/|/home/|/root/|/Users/")


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def fences(text: str, language: str) -> list[str]:
    return [body for kind, body in _FENCE.findall(text) if kind == language]


def plain(text: str) -> str:
    """Without what stands in fences: a diagram has no links and a transcript no headings."""
    return _FENCE.sub("", text)


def anchors(page: Path) -> set[str]:
    """The headings as GitHub makes addresses of them."""
    found = re.findall(r"^#+ (.+)$", plain(page.read_text("utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_the_pages_leads_somewhere(page: Path) -> None:
    broken = []
    for target in _LINK.findall(plain(page.read_text("utf-8"))):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        known = there.exists() and there.is_relative_to(ROOT)
        if not known or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_module_that_a_page_for_developers_names_is_there(name: str) -> None:
    named = re.findall(r"`((?:[\w-]+/)+(?:\w+\.py)?)`", plain(text_of(name)))
    assert named
    package = ROOT / "service" / "pilotage"
    roots = (ROOT, package, package / "core")
    assert [each for each in named if not any((root / each).exists() for root in roots)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_place_on_somebodys_machine(page: Path) -> None:
    assert not _FOREIGN.findall(page.read_text("utf-8"))


def test_the_first_screen_has_exactly_two_commands() -> None:
    """A stranger reads ten lines, copies two commands, and sees it run."""
    screen = text_of("README.md").split("\n## ", 1)[0]
    (commands,) = fences(screen, "sh")
    assert commands.split("\n")[:-1] == ["make demo", "make test"]
    assert len(screen.splitlines()) <= 24


# Commands


@cache
def commands() -> frozenset[str]:
    group = typer.main.get_command(build())
    return frozenset(getattr(group, "commands", {}))


def shown_commands() -> Iterator[tuple[str, str]]:
    """Page and command, for every `pilotage COMMAND` that a page tells somebody to type."""
    for page in PAGES:
        text = page.read_text("utf-8")
        lines = [line for body in fences(text, "sh") for line in body.splitlines()]
        lines += re.findall(r"`(pilotage [a-z][^`]*)`", plain(text))
        for line in lines:
            match = re.match(r"(?:\$ )?(?:\S*/)?pilotage ([a-z]+)", line)
            if match is not None:
                yield page.name, match[1]


def test_every_command_that_a_page_shows_is_there() -> None:
    missing = {(page, name) for page, name in shown_commands() if name not in commands()}
    assert not missing


# Configuration


def sections() -> dict[str, type[BaseModel]]:
    """Every section of the file that can be reached from the whole, by class name."""
    found: dict[str, type[BaseModel]] = {}
    for each in (*vars(policy).values(), *vars(promote_rules).values()):
        if isinstance(each, type) and issubclass(each, policy._Section | promote_rules._Rule):
            found[each.__name__] = each
    for internal in ("_Section", "_Rule", "_InDocument", "Policy"):
        found.pop(internal, None)
    return found


def keys() -> set[str]:
    return {
        field.alias or name
        for section in sections().values()
        for name, field in section.model_fields.items()
    }


@pytest.mark.parametrize("key", sorted(keys()))
def test_every_key_of_the_configuration_is_explained(key: str) -> None:
    """In a table of docs/configuration.md, as the first cell of a row."""
    first = re.findall(r"^\| `([^`]+)` \|", text_of("docs/configuration.md"), re.M)
    assert key in {each.rpartition(".")[2] for each in first}


def test_no_key_is_explained_that_is_not_there() -> None:
    text = text_of("docs/configuration.md").split("\n## Placeholders", 1)[0]
    first = re.findall(r"^\| `([^`]+)` \|", text, re.M)
    assert {each.rpartition(".")[2] for each in first} <= keys()


def test_the_defaults_of_the_budgets_are_those_of_the_code() -> None:
    """The table says them, because the file leaves them out."""
    budgets = policy.WatchBudgets().budgets
    rows = dict(
        re.findall(r"^\| `budgets\.(\w+)` \| ([^|]+?) \|", text_of("docs/configuration.md"), re.M)
    )
    for name, value in (
        (name, getattr(budgets, name)) for name in policy.WatchBudgets.model_fields
    ):
        match value:
            case None:
                continue  # told in words
            case bool():
                expected = str(value).lower()
            case int():
                expected = str(value)
            case tuple():
                expected = "[" + ", ".join(duration_text(each) for each in value) + "]"
            case _:
                expected = duration_text(value)
        assert rows[name] == f"`{expected}`", name


_BASE = """\
version: 1
pipelines:
  shop:
    preset: cluster-gitops
    files: deploy/{environment}/{service}.yaml
"""


def examples() -> Iterator[tuple[str, str]]:
    """Every YAML block that is a configuration, or says of which part of one it is."""
    for page in PAGES:
        for number, body in enumerate(fences(page.read_text("utf-8"), "yaml"), 1):
            head, _, rest = body.partition("\n")
            match head:
                case "version: 1":
                    text = body
                case "# below pipelines.shop:":
                    text = _BASE + indented(rest, 4)
                    if "environments:" not in rest:
                        text += "    environments: { staging: , production: { from: staging } }\n"
                case "# below environments.production:":
                    head = "    environments:\n      staging:\n      production:\n"
                    text = f"{_BASE}{head}        from: staging\n{indented(rest, 8)}"
                case _:
                    continue
            yield f"{page.relative_to(ROOT)}:{number}", text


def indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.splitlines())


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in examples()])
def test_every_example_of_a_configuration_can_be_used(text: str) -> None:
    load_config(text, presets())


def test_the_table_of_the_presets_says_what_they_bring() -> None:
    rows = re.findall(
        r"^\| `([\w-]+)` \| [^|]+ \| [^|]+ \| `(\w+)` \| (\d+) \| `(\w+)` \|$",
        text_of("docs/configuration.md"),
        re.M,
    )
    brought = []
    for name, text in sorted(presets().items()):
        environment = yaml.safe_load(text)["environment"]
        boxes, verification = len(environment["checklist"]), environment["verification"]["for"]
        brought.append((name, environment["gates"]["soak"], str(boxes), verification))
        assert environment["on_failure"] == "revert"
    assert sorted(rows) == brought


def test_the_page_of_the_configuration_has_examples() -> None:
    assert len([name for name, _ in examples() if "configuration" in name]) >= 5


def test_every_example_of_the_settings_can_be_used(tmp_path: Path) -> None:
    blocks = [body for page in PAGES for body in fences(page.read_text("utf-8"), "toml")]
    assert blocks
    for block in blocks:
        Settings(**tomllib.loads(with_real_files(block, tmp_path)))


def with_real_files(text: str, folder: Path) -> str:
    def real(match: re.Match[str]) -> str:
        file = folder / Path(match[2]).name
        file.write_text("secret")
        return f'{match[1]}"{file}"'

    return re.sub(r'(_file = )"([^"]+)"', real, text)


# ARCHITECTURE.md


def test_every_room_is_on_the_map() -> None:
    text = text_of("ARCHITECTURE.md")
    package = ROOT / "service/pilotage"
    rooms = [each.name for each in package.iterdir() if (each / "__init__.py").exists()]
    rooms += [each.stem for each in (package / "core").rglob("*.py") if each.stem != "__init__"]
    assert not [room for room in rooms if f"{room}" not in text]


def test_every_state_gate_table_and_matter_of_a_hold_is_told() -> None:
    text = text_of("ARCHITECTURE.md")
    told: list[str] = [*State, *metadata.tables, *Subject]
    told += [gate.__name__ for gate in gates.GATES]
    assert not [each for each in told if f"`{each}`" not in text]


def test_the_decision_table_has_all_rows_in_their_order() -> None:
    section = text_of("ARCHITECTURE.md").split("\n## The decision table", 1)[1].split("\n## ")[0]
    assert re.findall(r"^\| (\d+) \|", section, re.M) == [str(number) for number in range(1, 29)]


# docs/runbooks.md


@cache
def marks_by_test() -> Mapping[str, frozenset[str]]:
    """Every test's name, with the ids of the requirements that it carries."""
    found: dict[str, frozenset[str]] = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for name, ids in _tests(ast.parse(file.read_text("utf-8")).body, frozenset()):
            found[name] = found.get(name, frozenset()) | ids
    return found


def _tests(body: list[ast.stmt], inherited: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, inherited | _marks(node.decorator_list))
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield node.name, inherited | _marks(node.decorator_list)


def _marks(decorators: list[ast.expr]) -> frozenset[str]:
    return frozenset(
        argument.value
        for decorator in decorators
        for node in ast.walk(decorator)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "runbook"
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )


@cache
def rows() -> Mapping[str, tuple[str, frozenset[str], str]]:
    """Id to where it stands, the tests that are named, and the text."""
    return {
        id_: (stands, frozenset(re.findall(r"`(test_\w+)`", text)), text)
        for id_, _, stands, text in _ROW.findall(text_of("docs/runbooks.md"))
    }


def test_every_requirement_keeps_its_row() -> None:
    ids = [found[0] for found in _ROW.findall(text_of("docs/runbooks.md"))]
    assert ids == [f"{name}-{n}" for name, most in RUNBOOKS.items() for n in range(1, most + 1)]


def test_every_test_that_a_row_names_is_there() -> None:
    named = {name for _, tests, _ in rows().values() for name in tests}
    assert not named - marks_by_test().keys()


def test_every_mark_names_a_row() -> None:
    marked = {id_ for ids in marks_by_test().values() for id_ in ids}
    assert marked
    assert not marked - rows().keys()


@pytest.mark.parametrize("id_", rows())
def test_a_row_says_where_it_stands_and_shows_it(id_: str) -> None:
    """Met: a test that it names carries the mark. Partly: what is open. Else no test claims it."""
    stands, tests, text = rows()[id_]
    carrying = {name for name in tests if id_ in marks_by_test().get(name, frozenset())}
    match stands:
        case "met":
            assert carrying
        case "partly":
            assert tests, "a part that no test shows is not there yet"
            assert "Open:" in text
        case _:
            claiming = {name for name, ids in marks_by_test().items() if id_ in ids}
            assert not claiming, "a test carries the mark: the row is met, or partly"
