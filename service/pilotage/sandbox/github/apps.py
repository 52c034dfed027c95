"""GitHub Apps: registered with a key, installed on repositories."""

from __future__ import annotations

from collections.abc import Iterable

from pilotage.sandbox.github.model import Account, App, Installation, Repository
from pilotage.sandbox.github.state import State


def register(state: State, slug: str, public_key: str, owner: Account) -> App:
    bot = state.add_account(f"{slug}[bot]", "Bot")
    app = App(state.next_id(), slug, owner.login, public_key, bot, state.now())
    state.apps[app.id] = app
    return app


def install(
    state: State,
    app: App,
    account: Account,
    repositories: Iterable[Repository],
    reads_members: bool,
) -> Installation:
    names = {repo.full_name for repo in repositories}
    made = Installation(state.next_id(), app, account, names, state.now(), reads_members)
    state.installations[made.id] = made
    return made
