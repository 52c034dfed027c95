"""`pilotage demo`: both stories on a sandbox, then it stays up to be tried."""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pilotage.cli.output import AsJson, Exit, fail, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from pilotage.sandbox.stories import Running, Told
    from pilotage.store import Event

_STYLES = {
    "proven": "green",
    "opened": "bold",
    "ready": "yellow",
    "merged": "bold",
    "live": "green",
    "failed": "red",
    "quarantined": "red",
    "reverting": "red",
    "revert_landed": "magenta",
    "ended": "bold green",
}
_QUIET = frozenset({"seen"})

ServicePort = Annotated[int, typer.Option(help="The service's port; 0 takes a free one.")]
GitHubPort = Annotated[int, typer.Option(help="The sandbox GitHub's port; 0 takes a free one.")]
ArgoCDPort = Annotated[int, typer.Option(help="The sandbox Argo CD's port; 0 takes a free one.")]


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the two stories.")] = False,
    as_json: AsJson = False,
    port: ServicePort = 0,
    github_port: GitHubPort = 0,
    argocd_port: ArgoCDPort = 0,
) -> None:
    """Play both stories on a sandbox in this process.

    Nothing leaves this machine. Then it stays up to be tried, until Ctrl-C.
    """
    from rich.console import Console

    from pilotage import logs
    from pilotage.sandbox.serve import ServerFailed
    from pilotage.sandbox.stories import Running, StoryFailed
    from pilotage.sandbox.world import World

    logs.silence()
    account = Account(Console(stderr=True, highlight=False))
    with tempfile.TemporaryDirectory(prefix="pilotage-demo-") as folder:
        try:
            with (
                World(Path(folder), github_port=github_port, argocd_port=argocd_port) as world,
                Running(world, port, on_event=account.happened) as running,
            ):
                told = _played(running, account)
                if as_json:
                    print_json({"stories": [_document(each) for each in told]})
                if not once:
                    account.invite(running)
                    _until_interrupted(running)
        except StoryFailed as error:
            fail(f"the demo stopped: {error}", Exit.NO)
        except ServerFailed as error:
            fail(str(error), Exit.USAGE)
    if [each.state for each in told] != ["confirmed", "reverted"]:
        raise typer.Exit(int(Exit.NO))


def _played(running: Running, account: Account) -> Sequence[Told]:
    """Raises StoryFailed."""
    from pilotage.sandbox.stories import Stories

    account.begin(running)
    told = Stories(running, account.done).play()
    account.end(told)
    return told


class Account:
    """The readable live account: what people do, and what the service says of it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.begun = time.monotonic()

    def _line(self, who: str, text: str, style: str = "") -> None:
        from rich.table import Table
        from rich.text import Text

        row = Table.grid(padding=(0, 2))
        row.add_column(min_width=6, no_wrap=True, justify="right", style="dim")
        row.add_column(width=8, style="cyan")
        row.add_column(overflow="fold")
        seconds = f"{time.monotonic() - self.begun:.1f} s"
        row.add_row(seconds, who, Text(text, style=style))
        self._console.print(row)

    def begin(self, running: Running) -> None:
        world = running.world
        self._console.print(
            "[bold]Pilotage[/] brings a proven version from staging to production, "
            "and back if it fails.\n"
            f"A sandbox of GitHub ({world.github.url}) and Argo CD ({world.argocd_server.url}) is "
            "up, on this machine only.\n"
        )

    def done(self, text: str) -> None:
        self._line("people", text, "bold")

    def happened(self, event: Event) -> None:
        if event.kind not in _QUIET:
            self._line("pilotage", _plain(event), _STYLES.get(event.kind, ""))

    def end(self, told: Sequence[Told]) -> None:
        self._console.print()
        for each in told:
            self._console.print(
                f"[bold]{each.name}[/]: {each.state} in {each.seconds:g} s, {each.pull_request}",
                soft_wrap=True,
            )

    def invite(self, running: Running) -> None:
        from pilotage.sandbox.releases import PATH

        github, argocd = running.world.github.url, running.world.argocd_server.url
        name = running.world.repository.full_name
        places = {
            "be CI: deploy a new version to staging, also one that crashes": f"{github}{PATH}",
            "be the reviewer: tick the boxes, comment, merge": f"{github}/{name}/pulls",
            "be the cluster: watch it, make the next deployment fail": argocd,
            "see what the service says, and what it waits for": running.server.url,
        }
        self._console.print("\n[bold]It stays up. Open and try:[/]")
        for what, address in places.items():
            self._console.print(f"  {what}\n    [cyan]{address}[/]", soft_wrap=True)
        self._console.print(
            "\nBegin with a new version of api: v9.2.0 is in quarantine now, and these services go "
            "out together, so the others wait until api has a newer one.\n"
            "Ctrl-C ends it; nothing is kept.\n"
        )


def _plain(event: Event) -> str:
    return event.text or event.kind.replace("_", " ")


def _document(told: Told) -> dict[str, object]:
    return {
        "name": told.name,
        "state": told.state,
        "pull_request": told.pull_request,
        "seconds": told.seconds,
        "conclusion": told.conclusion,
    }


def _until_interrupted(running: Running) -> None:
    """Goes on telling what happens, until Ctrl-C or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(0.5):
        running.tell()
