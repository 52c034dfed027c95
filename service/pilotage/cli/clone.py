"""A local clone, read as it is: no network, no server, nothing written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pilotage.cli.output import Exit, fail

if TYPE_CHECKING:
    from pilotage.adapters.git import GitStore
    from pilotage.core.config.load import Problem
    from pilotage.core.config.policy import Config, Pipeline
    from pilotage.engine.trees import Trees

ClonePath = Annotated[
    Path, typer.Argument(metavar="PATH", help="A clone of the GitOps repository.")
]
At = Annotated[
    str | None,
    typer.Option("--at", help="A branch, or a whole commit id; else what is checked out."),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Read this file instead of the commit's `.pilotage.yaml`: try it first."
    ),
]
HERE = Path()


@dataclass(frozen=True, slots=True)
class Clone:
    """One commit of a clone. Either `config` can be used, or `problems` say why not."""

    trees: Trees
    commit: str
    file: str
    text: str
    """The configuration as it is written; empty when there is none."""
    config: Config | None
    problems: tuple[Problem, ...]

    def targets(self, only: str | None = None) -> list[Target]:
        """Every target, or those that `only` (a pipeline or a target) names."""
        if self.config is None:
            return []
        found = [
            Target(
                f"{name}/{environment}",
                pipeline,
                pipeline.environments[environment].from_ or "",
                environment,
            )
            for name, pipeline in self.config.pipelines.items()
            for environment in pipeline.targets
        ]
        return [each for each in found if only in (None, each.id, each.id.partition("/")[0])]

    def line(self, *keys: str) -> int | None:
        """Where these keys, one below the other, stand in the configuration."""
        from ruamel.yaml import YAML
        from ruamel.yaml.comments import CommentedMap

        node, line = YAML().load(self.text), None
        for key in keys:
            if not isinstance(node, CommentedMap) or key not in node:
                break
            line, node = node.lc.key(key)[0] + 1, node[key]
        return line


@dataclass(frozen=True, slots=True)
class Target:
    id: str
    pipeline: Pipeline
    source: str
    environment: str


def open_clone(path: Path, at: str | None, config: Path | None) -> Clone:
    """Ends with USAGE when there is no repository, commit or file of that name."""
    from pilotage.adapters.git import GitError, GitStore
    from pilotage.engine.trees import Trees
    from pilotage.resources import presets

    try:
        git = GitStore.local(path)
        commit = commit_of(git, path, at)
        trees = Trees(git, presets())
        git.commit(commit)
    except GitError as error:
        fail(str(error), Exit.USAGE)
    return _configured(trees, commit, config)


def commit_of(git: GitStore, path: Path, at: str | None) -> str:
    """What is checked out, or what `at` names. Ends with USAGE when there is no such commit."""
    from git import GitCommandError, Repo

    if at is None:
        try:
            with Repo(path, search_parent_directories=True) as repository:
                return str(repository.git.rev_parse("--verify", "--quiet", "HEAD^{commit}"))
        except GitCommandError as error:
            if "dubious ownership" in str(error):
                allow = f"git config --global --add safe.directory {path.resolve()}"
                fail(f"{path} belongs to somebody else, so git reads no file: {allow}", Exit.USAGE)
            fail(f"{path} has no commit yet", Exit.USAGE)
    known = git.heads().get(at)
    if known is None and not _is_sha(at):
        names = ", ".join(sorted(git.heads())[:10]) or "none"
        fail(f"{path} has no branch {at}; there are {names}", Exit.USAGE)
    return known or at


def _is_sha(text: str) -> bool:
    return len(text) == 40 and all(part in "0123456789abcdef" for part in text)


def _configured(trees: Trees, commit: str, file: Path | None) -> Clone:
    from pilotage.core.config.load import FILE, ConfigError, Problem, load_config
    from pilotage.engine.trees import NoConfigError
    from pilotage.resources import presets

    name = FILE if file is None else str(file)
    text = (trees.texts(commit, [FILE])[FILE] or "") if file is None else _text(file)
    try:
        config = trees.config(commit) if file is None else load_config(text, presets(), file=name)
    except ConfigError as error:
        return Clone(trees, commit, name, text, None, error.problems)
    except NoConfigError:
        expected = "expected the file at the root of the repository, as text"
        return Clone(trees, commit, name, text, None, (Problem(name, None, "", expected),))
    return Clone(trees, commit, name, text, config, ())


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", Exit.USAGE)
    except UnicodeDecodeError:
        fail(f"{file} is not UTF-8 text", Exit.USAGE)
