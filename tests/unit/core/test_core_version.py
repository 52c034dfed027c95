"""What a value says that it is, what is no version at all, and how values are shown."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version as Number

from pilotage.core.version import (
    Calendar,
    Commit,
    Digest,
    Image,
    Other,
    Scheme,
    Semantic,
    Version,
    cut,
    moves,
    plain,
    read,
    short,
)

SHA = "4be19f2" + "0" * 33
DIGEST = "sha256:abc1234" + "0" * 57


def semantic(text: str, prefix: str = "") -> Semantic:
    return Semantic(prefix, Number.parse(text))


@pytest.mark.runbook("SYRF-15")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("api-v9.1.1", semantic("9.1.1", "api-")),
        ("pm-v10.45.0", semantic("10.45.0", "pm-")),
        ("v2.15.0", semantic("2.15.0")),
        ("2.15.0", semantic("2.15.0")),
        ("1.4.0-rc.1", semantic("1.4.0-rc.1")),
        ("ghcr.io/acme/api:1.4.0", semantic("1.4.0", "ghcr.io/acme/api:")),
        ("app_v1.2.3+build.7", semantic("1.2.3+build.7", "app_")),
        ("26.11.1", semantic("26.11.1")),
        ("2026.11.21", Calendar("", "2026.11.21", (2026, 11, 21), "", date(2026, 11, 21))),
        ("26.01.3", Calendar("", "26.01.3", (2026, 1, 3))),
        ("2026.1", Calendar("", "2026.1", (2026, 1))),
        (
            "api-2026-11-21.3",
            Calendar("api-", "2026-11-21.3", (2026, 11, 21, 3), "", date(2026, 11, 21)),
        ),
        (
            "main-20261121T1030",
            Calendar("main-", "20261121T1030", (2026, 11, 21, 1030), "", date(2026, 11, 21)),
        ),
        (
            "2026.11.21-4be19f2",
            Calendar("", "2026.11.21", (2026, 11, 21), "4be19f2", date(2026, 11, 21)),
        ),
        ("2024.1.3", Calendar("", "2024.1.3", (2024, 1, 3))),
        (SHA, Commit(SHA)),
        ("main-4be19f2", Commit("4be19f2")),
        ("20261341", Commit("20261341")),
        (DIGEST, Digest(DIGEST)),
        (f"v2.3.0@{DIGEST}", Image(semantic("2.3.0"), DIGEST)),
        (f"latest@{DIGEST}", Image(Other("latest"), DIGEST)),
        (f"@{DIGEST}", Digest(DIGEST)),
        ("latest", Other("latest")),
        ("build-42", Other("build-42")),
        ("1.2.3.4", Other("1.2.3.4")),
        ("01.2.3", Other("01.2.3")),
        ("v1.2", Other("v1.2")),
        ("", Other("")),
        ("1.2.3 ", Other("1.2.3 ")),
        ("1.2.3\n", Other("1.2.3\n")),
        ("9" * 200 + ".1.1", Other("9" * 200 + ".1.1")),
        ("sha256:abc", Other("sha256:abc")),
    ],
)
def test_what_a_value_is(value: str, expected: Version) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    ("value", "scheme", "expected"),
    [
        ("26.11.1", Scheme.CALVER, Calendar("", "26.11.1", (2026, 11, 1))),
        ("26.9.1", Scheme.CALVER, Calendar("", "26.9.1", (2026, 9, 1))),
        ("26.13.1", Scheme.CALVER, semantic("26.13.1")),
        ("2026.11.21", Scheme.SEMVER, semantic("2026.11.21")),
        ("20261121", Scheme.COMMIT, Commit("20261121")),
    ],
)
def test_the_scheme_decides_what_could_be_two_things(
    value: str, scheme: Scheme, expected: Version
) -> None:
    assert read(value, scheme) == expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("api-v9.1.1", "9.1.1"),
        ("1.4.0-rc.1", "1.4.0-rc.1"),
        (f"v2.3.0@{DIGEST}", "2.3.0"),
        ("api-2026-11-21.3", "2026-11-21.3"),
        ("v2026.01.05-rc.1", "2026.01.05-rc.1"),
        (f"main@{DIGEST}", "main"),
        (DIGEST, DIGEST),
        ("latest", "latest"),
    ],
)
def test_the_plain_version_has_neither_prefix_nor_digest(value: str, said: str) -> None:
    assert plain(value) == said


@pytest.mark.runbook("SYRF-15")
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("v1.0.0", "latest", True),
        ("main", "latest", True),
        (None, "stable", True),
        ("v1.0.0", "stable2", True),
        ("2026.11.21", "build-42", True),
        (f"v1.0.0@{DIGEST}", "v1", True),
        ("v1.0.0", "v1.1.0", False),
        ("v1.0.0", "sha-4be19f2", False),
        ("v1.0.0", f"latest@{DIGEST}", False),
        ("v1.0.0", "2026-11-21.3", False),
        ("4be19f2", "deadbee", False),
        ("build-41", "build-42", False),
        ("20261120", "20261121", False),
        ("v1.0.0", "sha256:" + "a" * 64, False),
    ],
)
def test_a_channel_is_no_version(before: str | None, after: str, expected: bool) -> None:
    assert moves(before, after) is expected


@pytest.mark.parametrize(
    ("value", "service", "said"),
    [
        ("api-v9.1.1", "api", "v9.1.1"),
        ("pm-v10.45.0", "project-management", "pm-v10.45.0"),
        ("v1.0.0", "api", "v1.0.0"),
        ("api-", "api", "api-"),
        (f"api-v2.3.0@{DIGEST}", "api", "v2.3.0@sha256:abc1234…"),
    ],
)
def test_beside_its_service_a_version_is_said_without_its_name(
    value: str, service: str, said: str
) -> None:
    assert short(value, service) == said


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (f"v2.3.0@{DIGEST}", "v2.3.0@sha256:abc1234…"),
        (DIGEST, "sha256:abc1234…"),
        (SHA, "4be19f2"),
        (f"main-{SHA}", "main-4be19f2"),
        ("main-4be19f2aa", "main-4be19f2aa"),
        ("api-v9.1.1", "api-v9.1.1"),
        ("latest", "latest"),
        ("two words", '"two words"'),
        ("v1\nv2", '"v1\\nv2"'),
        ("", ""),
    ],
)
def test_only_digests_and_whole_commit_ids_are_cut(value: str, shown: str) -> None:
    assert cut(value) == shown


@given(st.text(max_size=30), st.sampled_from(Scheme))
def test_any_value_is_something_and_can_be_shown(value: str, scheme: Scheme) -> None:
    read(value, scheme)
    assert bool(cut(value)) is bool(value)
    assert bool(plain(value)) is bool(value)
