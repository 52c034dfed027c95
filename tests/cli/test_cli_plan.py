"""`pilotage plan` on real clones: what would be promoted, byte for byte, and why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotage.cli.diff import unified
from tests.cli.clones import CONFIG, a_clone, commit, file, git, two_services, values
from tests.cli.conftest import Run

API = file("production", "api")


def test_it_shows_what_would_be_promoted(tmp_path: Path, run: Run) -> None:
    clone = a_clone(tmp_path, two_services())
    ran = run("plan", clone)
    assert ran.code == 0, ran.err
    assert "syrf/production from staging" in ran.out
    assert "1 service would be promoted" in ran.out
    assert "api: api-v9.0.4 -> api-v9.1.1, minor" in ran.out
    assert '-    chartTag:   "api-v9.0.4"   # moved by CI' in ran.out
    assert '+    chartTag:   "api-v9.1.1"   # moved by CI' in ran.out
    assert "api also differs in replicas: not promoted" in ran.out


def test_many_differences_are_named_in_part_and_counted(tmp_path: Path, run: Run) -> None:
    """A line that people can read; --json has them all."""
    files = two_services()
    more = "".join(f"k{number}: {{}}\n" for number in range(30))
    files[file("staging", "api")] = values("staging", "api-v9.1.1", more.format(*[1] * 30))
    files[file("production", "api")] = values("production", "api-v9.0.4", more.format(*[2] * 30))
    ran = run("plan", a_clone(tmp_path, files))
    assert "api also differs in k0, k1, k2, k3, k4 and 25 more: not promoted" in ran.out
    (target,) = run("plan", tmp_path, "--json").json["targets"]
    assert len(target["changes"][0]["not_promoted"]) == 30


def test_the_diff_is_the_promotion_byte_for_byte(tmp_path: Path, run: Run) -> None:
    """`git apply` makes the file that the service would commit: odd spacing, CRLF and no last
    line end included."""
    odd = 'envName: staging\r\nservice: {chartTag:   "%s"  }  # \u00e9\r\nlast:  1'
    clone = a_clone(
        tmp_path,
        {
            file("staging", "api"): odd % "api-v9.1.1",
            API: (odd % "api-v9.0.4").replace("staging", "prod"),
        },
    )
    (target,) = run("plan", clone, "--json").json["targets"]
    git(clone, "apply", "-", given=target["changes"][0]["diff"])
    expected = (odd % "api-v9.1.1").replace("staging", "production")
    assert (clone / API).read_bytes().decode() == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\n", "b\n"),
        ("a", "b"),
        ("a\nb", "a\nb\n"),
        ("a\nb\n", "a\nb"),
        ("a\r\nb\r\n", "a\r\nc\r\n"),
        ("a\x0bb\u2028c\n", "a\x0bb\u2028d\n"),
        ("", "a\n"),
        ("a\n" * 20, "a\n" * 10 + "b\n" + "a\n" * 9),
    ],
)
def test_git_takes_every_diff(tmp_path: Path, before: str, after: str) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "f").write_bytes(before.encode())
    git(tmp_path, "apply", "-", given=unified("f", before, after))
    assert (tmp_path / "f").read_bytes() == after.encode()


SHARED = """\
version: 1
pipelines:
  shop:
    files: my apps/é/{environment}.yaml
    new_services: add
    services: { api: {}, web: {} }
    promote: [{ copy: "{service}.tag" }]
    environments: { staging: {}, production: { from: staging } }
"""


def test_services_that_share_a_file_are_one_diff(tmp_path: Path, run: Run) -> None:
    """What is printed is one patch for each target, as the promotion is one commit."""
    text = "api: {tag: v%d}\nweb:\n  tag: v%d\n"
    path = "my apps/é/%s.yaml"
    files = {path % "staging": text % (2, 2), path % "production": text % (1, 1)}
    clone = a_clone(tmp_path, files, SHARED)
    (target,) = run("plan", clone, "--json").json["targets"]
    printed = run("plan", clone).out
    assert printed.endswith(target["diff"])
    assert printed.count("+++ ") == 1
    git(clone, "apply", "-", given=target["diff"])
    assert (clone / (path % "production")).read_text() == text % (2, 2)


def test_a_new_service_comes_from_nothing(tmp_path: Path, run: Run) -> None:
    files = {file("staging", "api"): values("staging", "api-v1.0.0")}
    config = CONFIG.replace("    environments:", "    new_services: add\n    environments:")
    ran = run("plan", a_clone(tmp_path, files, config))
    assert "  api: nothing -> api-v1.0.0, new\n" in ran.out
    git(tmp_path, "apply", "-", given=ran.out[ran.out.index("--- ") :])
    assert (tmp_path / API).read_text() == values("production", "api-v1.0.0")


def test_what_is_no_service_because_of_its_name_is_named(tmp_path: Path, run: Run) -> None:
    files = two_services() | {file("staging", "my app"): values("staging", "v1.0.0")}
    clone = a_clone(tmp_path, files)
    ran = run("plan", clone)
    assert (ran.code, '  no service, because of the name: "my app"; it must' in ran.out) == (
        0,
        True,
    )
    (target,) = run("plan", clone, "--json").json["targets"]
    assert target["misnamed"] == ["my app"]


def test_nothing_to_promote_is_fine(tmp_path: Path, run: Run) -> None:
    same = {
        file("staging", "api"): values("staging", "api-v1.0.0"),
        API: values("production", "api-v1.0.0"),
    }
    ran = run("plan", a_clone(tmp_path, same))
    assert (ran.code, "nothing to promote" in ran.out) == (0, True)


def test_a_file_that_cannot_be_edited_is_named_with_line_and_reason(
    tmp_path: Path, run: Run
) -> None:
    files = two_services()
    files[API] = "envName: production\nother: &tag api-v9.0.4\nservice:\n  chartTag: *tag\n"
    ran = run("plan", a_clone(tmp_path, files))
    assert ran.code == 1
    assert f"api cannot be promoted: {API}:4: service.chartTag:" in ran.out
    assert "nothing can be promoted" in ran.out


def test_together_all_says_that_one_stops_all(tmp_path: Path, run: Run) -> None:
    files = two_services()
    files[file("staging", "web")] = values("staging", "web-v5.1.0")
    files[file("production", "web")] = b"envName: \xff\n"
    ran = run("plan", a_clone(tmp_path, files))
    assert ran.code == 1
    assert "nothing is promoted while one service cannot be" in ran.out


def test_an_older_version_in_staging_is_pointed_out(tmp_path: Path, run: Run) -> None:
    files = two_services()
    files[file("staging", "api")] = values("staging", "api-v8.0.0")
    ran = run("plan", a_clone(tmp_path, files))
    assert "api: api-v9.0.4 -> api-v8.0.0, back (-1 major)" in ran.out
    assert "api v8.0.0 is older than v9.0.4, which production runs: release" in ran.out
    allowed = CONFIG.replace("    files:", "    versions: { backwards: allow }\n    files:")
    ran = run("plan", a_clone(tmp_path / "allowed", files, allowed))
    assert "api goes back, if staging itself went back" in ran.out


@pytest.mark.runbook("SYRF-15")
@pytest.mark.parametrize(
    ("version", "rules", "said"),
    [
        ("latest", "{}", "api latest is no version that stays what it is"),
        ("4be19f2", "{ scheme: semver }", "api 4be19f2 is no semantic version"),
        ("1.0.0-rc.1", "{ prereleases: refuse }", "api 1.0.0-rc.1 is a prerelease (rc.1)"),
    ],
)
def test_a_version_that_the_rules_refuse_is_pointed_out(
    tmp_path: Path, run: Run, version: str, rules: str, said: str
) -> None:
    files = two_services()
    files[file("staging", "api")] = values("staging", version)
    ruled = CONFIG.replace("    files:", f"    versions: {rules}\n    files:")
    files[file("staging", "web")] = values("staging", "web-v5.1.0")
    clone = a_clone(tmp_path, files, ruled)
    ran = run("plan", clone)
    assert f"\n  not promoted: {said}" in ran.out
    assert "1 service would be promoted" in ran.out
    assert f'+    chartTag:   "{version}"' not in ran.out
    assert '+    chartTag:   "web-v5.1.0"' in ran.out
    assert "nothing is promoted while one service cannot be" in ran.out
    assert ran.code == 1
    (target,) = run("plan", clone, "--json").json["targets"]
    refused = {change["service"]: change["refused"] for change in target["changes"]}
    assert refused.pop("api").startswith(said)
    assert refused == {"web": None}


def test_a_set_that_the_rules_refuse_is_no_promotion(tmp_path: Path, run: Run) -> None:
    """`latest` runs in staging: what is shown is no diff that nobody would ever get."""
    files = two_services()
    files[file("staging", "api")] = values("staging", "latest")
    ran = run("plan", a_clone(tmp_path, files))
    assert (ran.code, "nothing can be promoted" in ran.out) == (1, True)
    assert "+++" not in ran.out


def test_a_wrong_configuration_stops_it(tmp_path: Path, run: Run) -> None:
    wrong = CONFIG.replace("files:", "flies:")
    ran = run("plan", a_clone(tmp_path, two_services(), wrong))
    assert ran.code == 1
    assert ".pilotage.yaml:5: pipelines.syrf.flies: unknown key" in ran.out
    assert "did you mean `files`?" in ran.out


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("config.yaml", "values.yaml", "no file of staging at"),
        ("production:", "prod:", "no file of prod at"),
        ("preset: cluster-gitops", "promote: [{ copy: a.b }]", "or production has a.b"),
    ],
)
def test_nothing_to_promote_because_nothing_fits_is_no_good_news(
    tmp_path: Path, run: Run, right: str, wrong: str, said: str
) -> None:
    """CI that only plans would stay green for ever."""
    clone = a_clone(tmp_path, two_services(), CONFIG.replace(right, wrong))
    ran = run("plan", clone)
    assert (ran.code, said in ran.out) == (1, True)
    found = run("plan", clone, "--json").json["problems"]
    assert found == run("check", clone, "--json").json["problems"]


def test_a_configuration_can_be_tried_before_it_is_committed(tmp_path: Path, run: Run) -> None:
    clone = a_clone(tmp_path / "clone", two_services(), config=None)
    assert run("plan", clone).code == 1
    tried = tmp_path / "tried.yaml"
    tried.write_text(CONFIG)
    ran = run("plan", clone, "--config", tried)
    assert (ran.code, "1 service would be promoted" in ran.out) == (0, True)


class TestWhichCommit:
    def test_the_one_that_is_checked_out(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path, two_services())
        git(clone, "switch", "--quiet", "--create", "topic")
        commit(clone, {file("staging", "api"): values("staging", "api-v9.2.0")})
        assert "api-v9.2.0" in run("plan", clone).out
        git(clone, "checkout", "--quiet", "--detach")
        assert "api-v9.2.0" in run("plan", clone).out

    def test_a_branch_or_commit_by_name(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path, two_services())
        first = git(clone, "rev-parse", "HEAD").strip()
        git(clone, "switch", "--quiet", "--create", "topic")
        commit(clone, {file("staging", "api"): values("staging", "api-v9.2.0")})
        for at in ("main", first):
            assert "api-v9.1.1" in run("plan", clone, "--at", at).out

    def test_not_what_is_only_in_the_work_tree(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path, two_services())
        (clone / API).write_text("nonsense: true\n")
        assert run("plan", clone).code == 0

    def test_from_inside_the_clone_and_from_a_bare_one(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path / "clone", two_services())
        git(tmp_path, "clone", "--quiet", "--bare", str(clone), "bare.git")
        assert run("plan", clone / "syrf/environments").code == 0
        assert run("plan", tmp_path / "bare.git").code == 0

    @pytest.mark.parametrize(
        ("at", "expected"),
        [
            ("nowhere", "no commit 'nowhere'; the branches are main"),
            ("0" * 40, "no commit '" + "0" * 40),
        ],
    )
    def test_what_is_not_there_is_said(
        self, tmp_path: Path, run: Run, at: str, expected: str
    ) -> None:
        ran = run("plan", a_clone(tmp_path, two_services()), "--at", at)
        assert ran.code == 2
        assert expected in ran.err

    def test_an_empty_repository(self, tmp_path: Path, run: Run) -> None:
        git(tmp_path, "init", "--quiet")
        ran = run("plan", tmp_path)
        assert (ran.code, "has no commit yet" in ran.err) == (2, True)

    def test_a_clone_that_belongs_to_somebody_else(
        self, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Git refuses to read it, and says how to allow that; so do we."""
        clone = a_clone(tmp_path, two_services())
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        ran = run("plan", clone)
        assert ran.code == 2
        assert "belongs to somebody else" in ran.err
        assert "git config --global --add safe.directory" in ran.err

    def test_no_repository_at_all(self, tmp_path: Path, run: Run) -> None:
        for path in (tmp_path, tmp_path / "missing"):
            ran = run("plan", path)
            assert (ran.code, "not in a git repository" in ran.err) == (2, True)


def test_one_target_of_several(tmp_path: Path, run: Run) -> None:
    clone = a_clone(tmp_path, two_services())
    assert run("plan", clone, "--target", "syrf").code == 0
    assert run("plan", clone, "--target", "syrf/production").code == 0
    ran = run("plan", clone, "--target", "syrf/prodution")
    assert (ran.code, "did you mean `syrf/production`?" in ran.err) == (2, True)


def test_as_json(tmp_path: Path, run: Run) -> None:
    clone = a_clone(tmp_path, two_services())
    found = run("plan", clone, "--json").json
    assert found["commit"] == git(clone, "rev-parse", "HEAD").strip()
    (target,) = found["targets"]
    (change,) = target["changes"]
    told = {
        name: change[name] for name in ("service", "before", "after", "step", "distance", "files")
    }
    assert told == {
        "service": "api",
        "before": "api-v9.0.4",
        "after": "api-v9.1.1",
        "step": "minor",
        "distance": "minor",
        "files": [API],
    }
    assert change["not_promoted"] == [{"path": "replicas", "source": "1", "running": "3"}]
    assert target["unchanged"] == {"web": "web-v5.0.0"}
    assert target["problems"] == []


def test_what_a_file_says_cannot_steer_the_terminal(tmp_path: Path, run: Run) -> None:
    """Escape sequences of a hostile repository are shown, not obeyed."""
    wrong = CONFIG.replace("from: staging", 'from: "\\e[31mstaging\\a"')
    ran = run("plan", a_clone(tmp_path, two_services(), wrong))
    assert ran.code == 1
    assert "\x1b" not in ran.out
    assert "\x07" not in ran.out


def test_a_version_cannot_add_lines_of_its_own(tmp_path: Path, run: Run) -> None:
    """What is no single word stands in quotes, and an empty value is called nothing."""
    files = {
        file("staging", "api"): values("staging", "v1\\nsyrf/production: all is well"),
        API: values("production", "v0"),
        file("staging", "web"): values("staging", ""),
        file("production", "web"): values("production", "v0"),
    }
    ran = run("plan", a_clone(tmp_path, files))
    said = 'api: v0 -> "v1\\nsyrf/production: all is well", '
    assert f"\n  {said}" in ran.out
    assert "\n  web: v0 -> nothing, " in ran.out
    assert "\n  not promoted: web nothing is no version that stays what it is" in ran.out


VALIDATED = CONFIG + '        gates: { artifacts: { kubernetes: "1.31" } }\n'
MANIFEST = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: api }\n"
    'data: { level: 3 }\nenvName: %s\nservice: { chartTag: "%s" }\n'
)


def test_files_that_are_not_valid_are_told_before_there_is_a_pull_request(
    tmp_path: Path, run: Run
) -> None:
    clone = a_clone(
        tmp_path,
        {
            file("staging", "api"): MANIFEST % ("staging", "api-v9.1.1"),
            API: MANIFEST % ("production", "api-v9.0.4"),
        },
        VALIDATED,
    )
    ran = run("plan", clone)
    assert ran.code == 1
    wrong = f"{API}:4: data.level: ConfigMap api: expected a string, found a number"
    assert f"the merge would stay closed: {wrong}" in ran.out
    (target,) = run("plan", clone, "--json").json["targets"]
    assert wrong in [each["text"] for each in target["artifacts"]]
    assert wrong in run("check", clone).out


def test_valid_files_are_nothing_to_talk_about(tmp_path: Path, run: Run) -> None:
    clone = a_clone(tmp_path, two_services(), VALIDATED)
    (target,) = run("plan", clone, "--json").json["targets"]
    assert target["artifacts"] == []
    assert run("check", clone).code == 0


def test_schemas_that_are_not_here_are_a_note(tmp_path: Path, run: Run) -> None:
    clone = a_clone(tmp_path, two_services(), VALIDATED.replace("1.31", "1.99"))
    ran = run("plan", clone)
    assert ran.code == 0
    assert "artifacts are not validated here: there are no schemas of Kubernetes 1.99" in ran.out
