"""A repository that somebody filled to harm its readers: real git, crafted object by object."""

from __future__ import annotations

import gc
import os
import subprocess
import tracemalloc
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pilotage.adapters.git import GitStore, InvalidName, Kind
from pilotage.core.config.load import ConfigError, load_config
from pilotage.core.config.policy import Pipeline
from pilotage.core.plan import Tree, plan
from pilotage.engine import trees as trees_module
from pilotage.engine.trees import Trees
from pilotage.resources import presets

CONFIG = """\
version: 1
pipelines:
  shop:
    files: "apps/{service}/{environment}.yaml"
    promote: [{ copy: image.tag }]
    environments:
      staging: { applications: "{service}-staging" }
      production: { from: staging, applications: "{service}-production" }
"""
MIB = 1024 * 1024
Files = Mapping[str, bytes | tuple[str, bytes]]
"""Path to contents, or to mode and contents."""


@dataclass(frozen=True)
class Crafted:
    """A bare repository that takes whatever a hostile client would push."""

    path: Path

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        environment = {
            **os.environ,
            **{f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER")
               for what in ("NAME", "EMAIL")},
        }  # fmt: skip
        done = subprocess.run(
            ["git", "--git-dir", str(self.path), *arguments],
            input=stdin, capture_output=True, check=True, env=environment,
        )  # fmt: skip
        return done.stdout.decode().strip()

    def commit(self, files: Files, message: str = "Change", branch: str = "main") -> str:
        tree = self._tree({tuple(path.split("/")): found for path, found in files.items()})
        sha = self.git("commit-tree", tree, stdin=message.encode())
        self.git("update-ref", f"refs/heads/{branch}", sha)
        return sha

    def _tree(self, files: Mapping[tuple[str, ...], bytes | tuple[str, bytes]]) -> str:
        entries: list[tuple[bytes, bytes]] = []
        below: dict[str, dict[tuple[str, ...], bytes | tuple[str, bytes]]] = {}
        for (name, *rest), found in files.items():
            if rest:
                below.setdefault(name, {})[tuple(rest)] = found
                continue
            mode, content = found if isinstance(found, tuple) else ("100644", found)
            blob = self.git("hash-object", "-w", "--stdin", stdin=content)
            entries.append((name.encode(), f"{mode} {name}\0".encode() + bytes.fromhex(blob)))
        for name, inner in below.items():
            raw = f"40000 {name}\0".encode() + bytes.fromhex(self._tree(inner))
            entries.append((f"{name}/".encode(), raw))
        raw = b"".join(entry for _, entry in sorted(entries))
        return self.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw)


@pytest.fixture
def crafted(tmp_path: Path) -> Crafted:
    path = tmp_path / "crafted.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(path)], check=True)
    return Crafted(path)


def _opened(crafted: Crafted) -> tuple[Trees, Pipeline]:
    trees = Trees(GitStore.local(crafted.path), presets())
    return trees, load_config(CONFIG, presets()).pipelines["shop"]


def _value(tag: str) -> bytes:
    return f"image:\n  tag: {tag}\n".encode()


def test_a_giant_file_is_refused_without_being_read(crafted: Crafted) -> None:
    giant = _value("v1.0.0") + b"#" * (24 * MIB)
    sha = crafted.commit({"apps/api/staging.yaml": giant, "apps/web/staging.yaml": _value("v1")})
    trees, pipeline = _opened(crafted)
    tracemalloc.start()
    tree = trees.tree(pipeline, "staging", sha)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert tree.files["apps/api/staging.yaml"].refused == "is larger than 1024 KB"
    assert tree.files["apps/web/staging.yaml"].refused is None
    assert peak < 4 * MIB


def test_many_large_files_are_not_all_held(
    crafted: Crafted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder may not hold more than fits into memory beside everything else."""
    monkeypatch.setattr(trees_module, "_LARGEST_FOLDER", 2 * MIB, raising=False)
    files: Files = {
        f"apps/s{number}/staging.yaml": _value(f"v{number}") + b"#" * (MIB - 1_000)
        for number in range(6)
    }
    sha = crafted.commit(files)
    trees, pipeline = _opened(crafted)
    tree = trees.tree(pipeline, "staging", sha)
    read = [name for name, file in tree.files.items() if file.refused is None]
    assert read == ["apps/s0/staging.yaml", "apps/s1/staging.yaml"]
    assert "together" in (tree.files["apps/s5/staging.yaml"].refused or "")


def test_rules_that_change_again_and_again_do_not_fill_memory(
    crafted: Crafted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rule of a file reads its folder into a tree of its own; the oldest are let go of."""
    monkeypatch.setattr(trees_module, "_FILES_REMEMBERED", 20)
    sha = crafted.commit({f"apps/s{number}/staging.yaml": _value("v1") for number in range(4)})
    trees, _ = _opened(crafted)
    before = _trees_held()
    for number in range(30):
        changed = CONFIG.replace("image.tag", f"image.tag{number}")
        pipeline = load_config(changed, presets()).pipelines["shop"]
        assert len(trees.tree(pipeline, "staging", sha).files) == 4
    assert _trees_held() - before <= 8
    assert trees.texts(sha, ["apps/s1/staging.yaml"]) == {
        "apps/s1/staging.yaml": _value("v1").decode()
    }


def _trees_held() -> int:
    gc.collect()
    return sum(isinstance(each, Tree) for each in gc.get_objects())


@pytest.mark.parametrize("mode", ["100600", "100640", "104755", "100777", "0100644"])
def test_an_odd_mode_is_a_file(crafted: Crafted, mode: str) -> None:
    """Anybody who can push can make one; it must not stop the looks at everything else."""
    sha = crafted.commit(
        {"apps/api/staging.yaml": (mode, _value("v1")), "apps/web/staging.yaml": _value("v1")}
    )
    trees, pipeline = _opened(crafted)
    tree = trees.tree(pipeline, "staging", sha)
    assert set(tree.files) == {"apps/api/staging.yaml", "apps/web/staging.yaml"}
    assert tree.files["apps/web/staging.yaml"].refused is None


def test_a_link_is_never_followed_nor_written(crafted: Crafted) -> None:
    files: Files = {
        "apps/api/staging.yaml": ("120000", b"/etc/passwd"),
        "apps/api/production.yaml": ("120000", b"../../.pilotage.yaml"),
        "apps/web/staging.yaml": _value("v2.0.0"),
        "apps/web/production.yaml": ("120000", b"../api/production.yaml"),
    }
    sha = crafted.commit(files)
    trees, pipeline = _opened(crafted)
    found = plan(
        pipeline, trees.tree(pipeline, "staging", sha), trees.tree(pipeline, "production", sha)
    )
    assert not found.services
    assert all("symlink" in problem.expected for problem in found.problems.values())
    (entry,) = trees.git.list_files(sha, ["apps/web/production.yaml"])
    assert entry.kind is Kind.SYMLINK


@pytest.mark.parametrize(
    "name",
    ["a\nb", "a\x1b[2J", "@acme", "<b>", "`", "-x", "a b", "..", ".git", "é", "a|b", "a\u202eb"],
)
def test_a_folder_that_is_no_name_is_no_service(crafted: Crafted, name: str) -> None:
    """A service's name reaches titles, branches and messages: letters, digits, . _ - only."""
    sha = crafted.commit({f"apps/{name}/staging.yaml": _value("v1")})
    trees, pipeline = _opened(crafted)
    assert not trees.tree(pipeline, "staging", sha).files


def test_names_that_can_be_no_services_follow_the_commits(crafted: Crafted) -> None:
    """A tree that grows out of another one's names the same as one that is read anew."""
    odd, renamed = "apps/my app/staging.yaml", "apps/my-app/staging.yaml"
    api: Files = {"apps/api/staging.yaml": _value("v1")}
    shas = [crafted.commit({**api, **more}) for more in (
        {}, {odd: _value("v1")}, {odd: _value("v2"), "apps/.b/staging.yaml": b""}, {renamed: b""}
    )]  # fmt: skip
    trees, pipeline = _opened(crafted)
    grown = [trees.tree(pipeline, "staging", sha) for sha in shas]
    assert [sorted(tree.misnamed.values()) for tree in grown] == [
        [], ["my app"], [".b", "my app"], []
    ]  # fmt: skip
    for sha, tree in zip(shas, grown, strict=True):
        anew, _ = _opened(crafted)
        again = anew.tree(pipeline, "staging", sha)
        assert (again.files, again.misnamed) == (tree.files, tree.misnamed)


@pytest.mark.parametrize(
    "files",
    ["../{service}/{environment}.yaml", "/etc/{service}/{environment}",
     "a/../{service}/{environment}", "{service}/{environment}/..",
     ".git/{service}/{environment}", "a/.GIT/{service}{environment}",
     "a\\x00/{service}/{environment}", "a\\n/{service}/{environment}", "./{service}/{environment}",
     "a//{service}/{environment}"],
)  # fmt: skip
def test_a_pattern_leads_nowhere_else(crafted: Crafted, files: str) -> None:
    """Refused where it is written, or by the check that every path meets before git sees it."""
    sha = crafted.commit({"apps/api/staging.yaml": _value("v1")})
    text = CONFIG.replace("apps/{service}/{environment}.yaml", files)
    try:
        pipeline = load_config(text, presets()).pipelines["shop"]
    except ConfigError:
        return
    trees, _ = _opened(crafted)
    try:
        assert not trees.tree(pipeline, "staging", sha).files
    except InvalidName:
        pytest.fail("a configuration that can never work is refused where it is written")


def test_only_the_default_branch_configures(crafted: Crafted) -> None:
    crafted.commit({".pilotage.yaml": CONFIG.encode()})
    hostile = CONFIG.replace("from: staging", "from: staging, gates: { soak: 0s }")
    crafted.commit({".pilotage.yaml": hostile.encode()}, branch="promotion/production-1")
    trees, _ = _opened(crafted)
    head = trees.head()
    assert head is not None
    assert trees.base_branch == "main"
    assert trees.config(head).pipelines["shop"].environments["production"].gates.soak is not None
    assert trees.git.read_files(head, [".pilotage.yaml"])[".pilotage.yaml"].content == (  # type: ignore[union-attr]
        CONFIG.encode()
    )
