"""`pilotage sandbox`: the stand-ins alone, to try a service of one's own on."""

from __future__ import annotations

import signal
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from pilotage.cli.output import AsJson, Exit, fail, print_json, say

if TYPE_CHECKING:
    from pilotage.sandbox.world import World

GitHubOnly = Annotated[
    bool,
    typer.Option("--github-only", help="Only GitHub, so that a real Argo CD can be put beside it."),
]
GitHubPort = Annotated[int, typer.Option(help="GitHub's port; 0 takes a free one.")]
ArgoCDPort = Annotated[int, typer.Option(help="Argo CD's port; 0 takes a free one.")]
ServiceUrl = Annotated[str, typer.Option(help="Where `pilotage serve` listens: webhooks go there.")]
Folder = Annotated[
    Path | None,
    typer.Option(help="Where repositories and settings go (default: a temporary folder)."),
]


def sandbox(
    github_only: GitHubOnly = False,
    github_port: GitHubPort = 9010,
    argocd_port: ArgoCDPort = 9011,
    service_url: ServiceUrl = "http://127.0.0.1:8080",
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Run a strict GitHub and Argo CD on this machine until Ctrl-C.

    Writes a settings file for `pilotage serve --config` and prints what to open.
    """
    from pilotage import logs
    from pilotage.sandbox.serve import ServerFailed
    from pilotage.sandbox.world import World

    logs.silence()
    with tempfile.TemporaryDirectory(prefix="pilotage-sandbox-") as temporary:
        place = (folder or Path(temporary)).absolute()  # the other terminal may be elsewhere
        if urlsplit(service_url).scheme not in ("http", "https"):
            fail(f"{service_url} is no address such as http://127.0.0.1:8080", Exit.USAGE)
        if folder is not None and (folder / "github").exists():
            fail(f"{folder} holds an older sandbox; choose an empty folder", Exit.USAGE)
        try:
            with World(
                place,
                github_port=github_port,
                argocd_port=argocd_port,
                with_argocd=not github_only,
            ) as world:
                world.hook(service_url)
                _tell(world, written(world, place), as_json=as_json)
                _until_interrupted()
        except ServerFailed as error:
            fail(str(error), Exit.USAGE)
        except OSError as error:
            fail(f"{place} cannot be used: {error.strerror or error}", Exit.USAGE)


def written(world: World, folder: Path) -> Path:
    """The settings as a file that only this person may read."""
    config = folder / "pilotage.toml"
    config.touch(mode=0o600)
    config.chmod(0o600)  # one that was there before keeps its mode otherwise
    config.write_text(world.settings_file(folder / "data"), encoding="utf-8")
    return config


def _tell(world: World, config: Path, *, as_json: bool) -> None:
    from pilotage.sandbox.releases import PATH
    from pilotage.sandbox.world import TOKEN

    github = world.github.url
    pulls = f"{github}/{world.repository.full_name}/pulls"
    if as_json:
        print_json(
            {
                "github": github,
                "argocd": world.argocd_url or None,
                "releases": f"{github}{PATH}",
                "pull_requests": pulls,
                "config": str(config),
            }
        )
        return
    say(f"GitHub       {github}")
    say(f"  reviewer   {pulls}")
    say(f"  CI         {github}{PATH}")
    say(f"Argo CD      {world.argocd_url or 'not started (--github-only)'}")
    say("")
    say("In another terminal:")
    say(f"  pilotage serve --config {config}")
    say("and in a third, to ask it:")
    say(f"  export PILOTAGE_OPERATOR_TOKEN={TOKEN}")
    say("  pilotage status")
    say("Ctrl-C ends the sandbox.")


def _until_interrupted() -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
