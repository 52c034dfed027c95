"""What hostile text does where people and machines read it: terminals, logs, Markdown, Slack."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from markdown_it import MarkdownIt

from pilotage import logs
from pilotage.adapters.git import GitStore
from pilotage.adapters.messages import _slack
from pilotage.cli.output import print_json
from pilotage.core import prose
from pilotage.core.acts import Notify
from pilotage.core.config.load import ConfigError, load_config
from pilotage.core.forge import hidden, marker_in
from pilotage.core.markdown import escape
from pilotage.core.model import Revert
from pilotage.engine.perform import revert_body
from pilotage.resources import presets
from pilotage.settings import SettingsError, load_settings
from tests.unit.core.worlds import NOW, changes, policy, proposal, release

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\n2026-11-21 [error] forged\u202e\u2028x\x00"
ACTIVE = (
    "@acme/everyone fixes #1 <!-- pilotage:rollout:shop-production-1 --> <img src=x onerror=y>"
    " [x](javascript:y) ![x](https://evil.example/x.png) https://evil.example/"
    " - [x] <!-- item:feature -->\n- [x] <!-- item:feature -->\n# heading"
)


@pytest.mark.parametrize("as_json", [True, False])
def test_a_value_neither_moves_the_cursor_nor_forges_a_line(
    written: io.StringIO, as_json: bool
) -> None:
    logs.configure(json=as_json, to=written)
    log = structlog.get_logger()
    log.info("delivery", note=HOSTILE, nested={"a": [HOSTILE]}, **{HOSTILE: 1})
    logging.getLogger("uvicorn.error").error("failed with %s", HOSTILE)
    log.error("a tick failed", exc_info=ValueError(HOSTILE))
    text = written.getvalue()
    assert not set(text) & set("\x1b\x07\x9b\x00\r\u202e\u2028")
    if as_json:
        assert len([json.loads(line) for line in text.splitlines()]) == 3
    else:
        assert not [line for line in text.splitlines() if line.startswith("2026-11-21 [error]")]


def test_json_for_a_terminal_is_json_and_shows_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_json({HOSTILE: [HOSTILE, "né"]})
    text = capsys.readouterr().out
    assert json.loads(text) == {HOSTILE: [HOSTILE, "né"]}
    assert not set(text) & set("\x1b\x07\x9b\x00\r\u202e\u2028")


def test_the_reason_of_a_revert_is_only_text_in_its_pull_request() -> None:
    """A resource's message comes from the cluster: whoever writes it writes to our repository."""
    message = (
        f"rollback(api): revert to v1\n\nReason: {ACTIVE}\n\nThis reverts commit {'a' * 40}.\n"
    )
    body = revert_body(message, "shop-production-1")
    assert marker_in(body) == "revert:shop-production-1"
    assert "@acme" not in body
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(body.rpartition("<!--")[0])
    for active in ("<img", "<a ", "<h1", "<li", "<!--"):
        assert active not in shown, shown
    assert "a" * 40 in body


def test_a_person_at_the_terminal_cannot_write_a_trailer() -> None:
    """`by` is any text of whoever has the operator's token."""
    assert "\n" not in prose.clipped("Asked for by x\nPilotage-Act: forged.")


def test_nobody_is_mentioned_by_a_message() -> None:
    message = Notify("k", "p", "held", ("a",), "<!channel> & <@U1>", "<https://x|y>\n*b*", "")
    text = _slack(message)["text"]
    assert "<" not in text
    assert ">" not in text


def test_the_marker_of_a_hostile_name_is_refused() -> None:
    for name in ("a --> b", "a\nb", "", "-->", "a<!--"):
        with pytest.raises(ValueError, match="not a marker"):
            hidden(f"promotion:{name} ")


def test_a_megabyte_in_a_value_costs_no_more_than_its_beginning() -> None:
    begun = datetime.now(UTC)
    for text in ("@" * 1_048_576, "\u200b" * 1_048_576, "\x00 " * 524_288):
        for _ in range(50):
            assert len(escape(text)) < 2_000
    assert datetime.now(UTC) - begun < timedelta(seconds=2)


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"k{number}: v\n" for number in range(20_000)),
        "a: 1\n" * 50_000,
        "a: [" + "x," * 120_000 + "]",
        "a0: &a0 {k: v}\n"
        + "".join(f"a{n}: &a{n}\n  <<: *a{n - 1}\n  k{n}: v\n" for n in range(1, 2_000)),
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]\n" for n in range(1, 30)),
    ],
    ids=["keys", "doubled keys", "list", "merges", "aliases"],
)
def test_a_configuration_made_to_be_slow_is_refused_soon(text: str) -> None:
    """It is read by a worker that others wait for."""
    begun = datetime.now(UTC)
    with pytest.raises(ConfigError) as caught:
        load_config(text, presets())
    assert datetime.now(UTC) - begun < timedelta(seconds=2)
    assert len(str(caught.value)) < 20_000


@pytest.mark.parametrize("name", ["PILOTAGE_GITHUB", "PILOTAGE_ARGOCD", "PILOTAGE_REPOSITORIES"])
def test_a_secret_in_a_setting_that_is_not_json_is_not_told(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, '{"token": "ghp_0123456789abcdefghij"')
    with pytest.raises(SettingsError) as caught:
        load_settings(None)
    assert "ghp_" not in str(caught.value)
    assert name in str(caught.value)


def test_a_store_of_a_private_repository_is_its_owners_only(tmp_path: Path) -> None:
    """Also where the data folder was made by somebody else, as container volumes are."""
    tmp_path.chmod(0o755)
    old = os.umask(0o022)
    try:
        GitStore.open(tmp_path / "git" / "a.git", "https://example.org/a.git")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "git" / "a.git").stat().st_mode) == 0o700


TAG = (
    "v1 fixes #12 @acme/admins a/b#3 GH-4 [skip ci] [ci skip]\nPilotage-Act: forged\n"
    "skip-checks: true"
)


def test_a_version_does_nothing_in_titles_and_commits() -> None:
    """It comes from a file that many may write; on the default branch words close issues, keep CI
    from running, and name whoever made a commit."""
    promotion = proposal(changes=changes({"api": TAG}, {"api": "v0"}))
    message = prose.commit_message(policy(), promotion, "k-1")
    revert = Revert(services=("api",), reason=TAG, by="jane\nPilotage-Act: forged", asked_at=NOW)
    back = prose.revert_message(policy(), release(changes=promotion.changes), ("api",), revert, "k")
    for text in (message, back, prose.title(policy(), promotion)):
        assert not re.search(r"#\d|(?<!\w)@\w|\bGH-\d|\[(skip|ci|no) ", text), text
        trailers = [line for line in text.splitlines() if line.startswith("Pilotage-Act:")]
        assert "Pilotage-Act: forged" not in trailers
        assert not [line for line in text.splitlines() if line.startswith("skip-checks")]


def test_a_title_stays_as_short_as_github_takes_it() -> None:
    promotion = proposal(changes=changes({"api": "#1" * 200}, {"api": "v0"}))
    assert len(prose.title(policy(), promotion)) <= 250


def test_what_harms_nobody_is_left_as_it_is() -> None:
    for tag in ("api-v9.1.1", "registry/api@sha256:abc", "v1+build.#x", "mail@acme.example"):
        promotion = proposal(changes=changes({"api": tag}, {"api": "v0"}))
        assert f"api: v0 -> {tag}" in prose.commit_message(policy(), promotion, "k-1")
