"""What a program that asked for JSON is told when something is wrong, and ports that are none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pilotage.cli import main
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["check", "/nowhere"], 2, "/nowhere is not in a git repository"),
        (["plan", "/nowhere"], 2, "/nowhere is not in a git repository"),
        (["status", "--url", "http://127.0.0.1:9"], 2, "operator's token is missing"),
        (["set", "/nowhere", "a", "b"], 2, "/nowhere cannot be read"),
        (["sandbox", "--github-port", "99999"], 2, "port 99999 of 127.0.0.1 cannot be used"),
        (["sandbox", "--service-url", "here"], 2, "here is no address"),
        (["demo", "--github-port", "-1"], 2, "port -1 of 127.0.0.1 cannot be used"),
        (["sandbox", "--folder", "/proc/nowhere"], 2, "/proc/nowhere cannot be used"),
    ],
)
def test_an_error_is_a_document_for_programs_and_a_sentence_for_people(
    run: Run, arguments: list[str], code: int, said: str
) -> None:
    ran = run(*arguments, "--json")
    assert (ran.code, said in ran.json["error"], said in ran.err) == (code, True, True)
    ran = run(*arguments)
    assert (ran.code, ran.out, said in ran.err) == (code, "", True)


@pytest.mark.parametrize("arguments", [["explain"], ["status", "--nonsense"]])
def test_used_wrongly_is_a_document_too(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    for options, document in ((["--json"], True), ([], False)):
        monkeypatch.setattr(sys, "argv", ["pilotage", *arguments, *options])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        said = capsys.readouterr()
        assert "Usage: pilotage" in said.err
        assert bool(said.out and "error" in json.loads(said.out)) is document
