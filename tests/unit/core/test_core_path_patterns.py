"""The path patterns of Argo CD, each in its own dialect."""

from __future__ import annotations

import pytest

from pilotage.core.discovery.path_patterns import across_folders, alternatives, covers, in_folders


@pytest.mark.parametrize(
    ("pattern", "path", "folders", "across"),
    [
        ("a/b.yaml", "a/b.yaml", True, True),
        ("a/*.yaml", "a/b.yaml", True, True),
        ("a/*.yaml", "a/b/c.yaml", False, True),
        ("**/c.yaml", "a/b/c.yaml", True, True),
        ("**/c.yaml", "c.yaml", True, False),
        ("a/**", "a/b/c.yaml", True, True),
        ("a/**/b/**/c", "a/x/b/y/z/c", True, True),
        ("a/**/b/**/c", "a/x/y/z/c", False, False),
        ("{a,b}/x", "b/x", True, True),
        ("{a,b{c,d}}/x", "bd/x", True, True),
        ("{a/x", "{a/x", True, True),
        ("[^a]/x", "b/x", True, True),
        ("[!b]/x", "b/x", False, False),
        ("A/x", "a/x", False, False),
        ("?/x", "a/x", True, True),
    ],
)
def test_a_pattern_takes_the_paths_that_argocd_takes(
    pattern: str, path: str, folders: bool, across: bool
) -> None:
    assert in_folders(pattern, path) is folders
    assert across_folders(pattern, path) is across


@pytest.mark.parametrize("pattern", ["*a" * 500 + "b", "{a,b}" * 30, "**/" * 300 + "x", "x" * 5000])
def test_a_pattern_that_is_meant_to_take_long_does_not(pattern: str) -> None:
    path = "/".join(["a" * 200] * 15)
    assert not in_folders(pattern, path)
    assert not across_folders(pattern, path)
    assert len(alternatives(pattern)) <= 64


@pytest.mark.parametrize(
    ("pattern", "file", "covered"),
    [
        (".", "apps/shop/x.yaml", True),
        (".", "apps/web/x.yaml", False),
        ("..", "apps/web/x.yaml", True),
        ("/values", "values/x.yaml", True),
        ("/values/*.yaml", "values/x.yaml", True),
        ("/", "anything", True),
        ("../web/x.yaml", "apps/web/x.yaml", True),
    ],
)
def test_generate_paths_are_relative_to_the_source(pattern: str, file: str, covered: bool) -> None:
    assert covers(pattern, "apps/shop", file) is covered
