"""The command line as a whole: quick, and all of it written down."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from pilotage import __version__
from pilotage.cli import build
from pilotage.cli.output import Exit
from tests.cli.conftest import Run

DOCS = Path(__file__).parents[2] / "docs" / "commands.md"
HEAVY = ("fastapi", "uvicorn", "sqlalchemy", "pydantic", "git", "github", "httpx", "rich.console")


def test_help_loads_nothing_heavy() -> None:
    """It answers at once because what a command needs is imported inside it."""
    program = (
        "import sys; from pilotage.cli import build\n"
        "try: build()(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([each for each in {HEAVY!r} if each in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    assert "serve" in done.stdout


def test_version(run: Run) -> None:
    assert run("version").out == f"pilotage {__version__}\n"
    assert run("version", "--json").json == {"version": __version__}
    assert run("--version").out == f"pilotage {__version__}\n"
    assert run("--version", "status").code == Exit.FINE


def test_the_list_of_commands_is_whole_sentences(run: Run) -> None:
    """None is cut to fit a terminal of 80 columns."""
    for group in ((), ("quarantine",)):
        listed = run(*group, "--help", COLUMNS="80").out.partition("Commands:")[2]
        assert listed
        assert "..." not in listed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk always full")
@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["version", "--json"]])
def test_a_full_disk_is_a_sentence(arguments: list[str]) -> None:
    """A pipeline that keeps a plan in a file must not take half of it for the whole."""
    program = [sys.executable, "-c", "from pilotage.cli import main; main()", *arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    said = "pilotage: what it says cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (Exit.NO, said)


@pytest.mark.parametrize("arguments", [["nonsense"], ["status", "--nonsense"], ["explain"]])
def test_used_wrongly_is_exit_code_2(run: Run, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert ran.code == Exit.USAGE
    assert "Traceback" not in ran.err


def _commands(group: Any, *before: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, *before, name)
        else:
            yield " ".join((*before, name)), command


COMMANDS = dict(_commands(typer.main.get_command(build())))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_in_the_docs(name: str) -> None:
    text = DOCS.read_text(encoding="utf-8")
    section = re.search(rf"^## pilotage {name}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert section is not None, f"docs/commands.md has no section `pilotage {name}`"
    for parameter in COMMANDS[name].params:
        names = [*parameter.opts, *parameter.secondary_opts]
        if not names[0].startswith("-"):
            names = [parameter.metavar or names[0].upper()]
        for option in set(names) - {"--help"}:
            assert f"`{option}" in section[1], f"`pilotage {name}` does not tell of {option}"


def test_the_docs_tell_of_no_command_that_is_gone() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert set(re.findall(r"^## pilotage (.+)$", text, re.M)) == set(COMMANDS)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "serve"])
def test_every_answer_can_be_had_as_json(name: str) -> None:
    assert any("--json" in parameter.opts for parameter in COMMANDS[name].params)


def test_no_command_takes_a_token_as_an_argument() -> None:
    """Everybody on the machine sees arguments."""
    for name, command in COMMANDS.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert not options & {"--token", "--password", "--secret"}, name
