"""A target's mail: what every kind of letter turns into, and letters that nobody can read."""

from __future__ import annotations

from datetime import UTC, datetime

from pilotage.core.model import Command
from pilotage.engine.mail import Changed, Commanded, Hint, Run, posted, sort
from pilotage.store import Mail

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
COMMAND = Command("c1", "hold", "wait", "maria", NOW)


def test_letters_are_sorted_by_what_they_say() -> None:
    letters = (Hint("push"), Changed("api-production"), Run("42"), Commanded(COMMAND))
    post = sort([posted("shop/production", letter, NOW) for letter in letters])
    assert post.commands == (COMMAND,)
    assert post.changed == {"api-production"}
    assert (post.run, post.newest_hint) == ("42", NOW)
    assert len(post.ids) == len(letters)


def test_a_change_in_argocd_asks_nothing_of_github_or_git() -> None:
    assert sort([posted("shop/production", Changed("api"), NOW)]).newest_hint is None


def test_a_letter_of_another_version_is_let_go_and_the_others_are_read() -> None:
    """Otherwise its target would fail at every look, for ever."""
    strange = Mail("shop/production", "parcel", {"kind": "parcel"}, NOW, id=7)
    post = sort([strange, posted("shop/production", Commanded(COMMAND), NOW)])
    assert post.commands == (COMMAND,)
    assert 7 in post.ids
