"""A local clone, read as it is: no network, no server, nothing written."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec

import typer

from pilotage.cli.output import Exit, fail
from pilotage.core.wording import listed

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
    typer.Option("--at", help="A branch, a tag or a commit; else what is checked out."),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Read this file instead of the commit's `.pilotage.yaml`: try it first."
    ),
]
HERE = Path()
_Given = ParamSpec("_Given")


def reads_clone(command: Callable[_Given, None]) -> Callable[_Given, None]:
    """The command; where git cannot give what it asks for, it ends with a sentence and USAGE."""

    @wraps(command)
    def told(*arguments: _Given.args, **options: _Given.kwargs) -> None:
        try:
            command(*arguments, **options)
        except Exception as error:
            from pilotage.adapters.git import GitError, StoreDamaged

            if not isinstance(error, GitError):
                raise
            again = "; clone it anew" if isinstance(error, StoreDamaged) else ""
            fail(f"{error}{again}", Exit.USAGE)

    return told


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
                name,
                pipeline,
                pipeline.environments[environment].from_ or "",
                environment,
            )
            for name, pipeline in self.config.pipelines.items()
            for environment in pipeline.targets
        ]
        return [each for each in found if only in (None, each.id, each.name)]

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
    """One environment that a pipeline promotes to; `name` is the pipeline's."""

    name: str
    pipeline: Pipeline
    source: str
    environment: str

    @property
    def id(self) -> str:
        return f"{self.name}/{self.environment}"


def open_clone(path: Path, at: str | None, config: Path | None) -> Clone:
    """Ends with USAGE when there is no repository, commit or file of that name."""
    from pilotage.adapters.git import GitStore
    from pilotage.engine.trees import Trees
    from pilotage.resources import presets

    git = GitStore.local(path)
    commit = commit_of(git, path, at)
    trees = Trees(git, presets())
    git.commit(commit)
    return _configured(path, trees, commit, config)


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
    found = git.heads().get(at) or _named(path, at)
    if found is None:
        names = listed(sorted(git.heads()), 10) or "none"
        fail(f"{path} has no commit {at!r}; the branches are {names}", Exit.USAGE)
    return found


def _named(path: Path, name: str) -> str | None:
    """The commit that git knows by this name: a tag, the beginning of an id, HEAD~1."""
    from git import GitCommandError, Repo

    if not name.isprintable():
        return None
    asked = ("--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    try:
        with Repo(path, search_parent_directories=True) as repository:
            return str(repository.git.rev_parse(*asked)) or None
    except GitCommandError:
        return None


def _configured(path: Path, trees: Trees, commit: str, file: Path | None) -> Clone:
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
        expected = f"expected the file at the root of the repository; {_advice(path)}"
        return Clone(trees, commit, name, text, None, (Problem(name, None, "", expected),))
    return Clone(trees, commit, name, text, config, ())


def _advice(path: Path) -> str:
    from git import Repo

    from pilotage.core.config.load import FILE

    with Repo(path, search_parent_directories=True) as repository:
        folder = repository.working_tree_dir
    if folder is not None and (file := Path(folder, FILE)).is_file():
        return f"it is not committed yet: --config {from_here(file)} reads it"
    return "`pilotage init` proposes one"


def from_here(file: Path) -> str:
    """The path as a shell takes it."""
    here = Path.cwd()
    return shlex.quote(str(file.relative_to(here) if file.is_relative_to(here) else file))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", Exit.USAGE)
    except UnicodeDecodeError:
        fail(f"{file} is not UTF-8 text", Exit.USAGE)
