"""`pilotage check` on real clones: every mistake with its line, and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.clones import CONFIG, a_clone, commit, file, two_services, values
from tests.cli.conftest import Run

SERVICES = """\
    services:
      api: { repository: acme/api }
      wbe: { repository: acme/web }
    environments:
"""


def test_all_is_right(tmp_path: Path, run: Run) -> None:
    ran = run("check", a_clone(tmp_path, two_services()))
    assert ran.code == 0, ran.out
    assert ".pilotage.yaml is right" in ran.out
    assert "targets: syrf/production" in ran.out


def test_a_mistake_has_its_line_and_the_nearest_name(tmp_path: Path, run: Run) -> None:
    wrong = CONFIG.replace("from: staging", "from: stagin")
    ran = run("check", a_clone(tmp_path, two_services(), wrong))
    assert ran.code == 1
    assert ".pilotage.yaml:9: pipelines.syrf.environments.production.from:" in ran.out
    assert "did you mean `staging`?" in ran.out
    assert "1 problem" in ran.out


def test_every_mistake_at_once(tmp_path: Path, run: Run) -> None:
    wrong = CONFIG.replace("version: 1", "version: 2").replace("files:", "flies:")
    found = run("check", a_clone(tmp_path, two_services(), wrong), "--json").json
    assert {problem["line"] for problem in found["problems"]} >= {1, 5}


def test_no_configuration(tmp_path: Path, run: Run) -> None:
    ran = run("check", a_clone(tmp_path, two_services(), config=None))
    assert (ran.code, ".pilotage.yaml: expected the file" in ran.out) == (1, True)


def test_a_file_that_cannot_be_read(tmp_path: Path, run: Run) -> None:
    files = two_services()
    files[file("staging", "api")] = b"envName: \xff\n"
    files[file("production", "web")] = "service: {}\nenvName: production\n"
    ran = run("check", a_clone(tmp_path, files))
    assert ran.code == 1
    assert f"{file('staging', 'api')}: is not UTF-8 text" in ran.out
    assert f"{file('production', 'web')}:1: service.chartTag: there is no such value" in ran.out


def test_a_path_that_no_file_matches(tmp_path: Path, run: Run) -> None:
    wrong = CONFIG.replace("config.yaml", "values.yaml")
    ran = run("check", a_clone(tmp_path, two_services(), wrong))
    assert ran.code == 1
    assert ".pilotage.yaml:5: pipelines.syrf.files: no file of staging" in ran.out
    assert "syrf/environments/staging/{service}/values.yaml" in ran.out
    assert "did you mean `syrf/environments/staging/web/config.yaml`?" in ran.out


def test_the_nearest_file_may_end_otherwise(tmp_path: Path, run: Run) -> None:
    config = CONFIG.replace(
        "syrf/environments/{environment}/{service}/config.yaml", "a/{environment}.yaml"
    )
    files = {f"a/{each}.yml": values(each, "v1") for each in ("staging", "production")}
    others = {f"b/{each}.yaml": values(each, "v1") for each in ("staging", "production")}
    ran = run("check", a_clone(tmp_path, {**files, **others}, config))
    assert "matches a/staging.yaml (did you mean `a/staging.yml`?)" in ran.out


def test_a_link_on_the_way_to_the_files_is_named(tmp_path: Path, run: Run) -> None:
    """Files behind a link or in a submodule are never read, and it is said why none was found."""
    clone = a_clone(tmp_path, two_services())
    folder = tmp_path / "syrf/environments/production"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to("../../elsewhere")
    commit(clone, {})
    ran = run("check", clone)
    assert ran.code == 1
    assert "; syrf/environments/production is a symlink, which is never followed" in ran.out


def odd_names() -> dict[str, str | bytes]:
    """Beside two services, folders that look like services and can be none."""
    files = two_services()
    for name in ("my app", "caf\u00e9", ".hidden"):
        for each, version in (("staging", "v2.0.0"), ("production", "v1.0.0")):
            files[file(each, name)] = values(each, version)
    return files


def test_what_is_no_service_because_of_its_name_is_a_note(tmp_path: Path, run: Run) -> None:
    """Nobody wonders why such a folder never gets a pull request."""
    ran = run("check", a_clone(tmp_path, odd_names()))
    assert ran.code == 0
    names = '".hidden", "caf\u00e9", "my app"; it must'
    note = f"note: syrf/production: no service, because of the name: {names}"
    assert ran.out.count(note) == 1


def test_where_no_name_can_be_a_services_it_is_said_why(tmp_path: Path, run: Run) -> None:
    odd = {path: text for path, text in odd_names().items() if "/my app/" in path}
    ran = run("check", a_clone(tmp_path, odd))
    assert ran.code == 1
    assert 'note: syrf/production: no service, because of the name: "my app"' in ran.out


@pytest.mark.parametrize("version", ["staging-4be19f2", "1.4.0-staging.3", "Staging_12"])
def test_a_version_that_names_its_environment_is_asked_about(
    tmp_path: Path, run: Run, version: str
) -> None:
    """Some teams build an image for each environment: another registry may not have this one."""
    files = two_services()
    for service in ("api", "web"):
        files[file("staging", service)] = values("staging", version)
    clone = a_clone(tmp_path, files)
    said = f"api {version} and 1 more service: the version names staging; is that the build"
    assert run("check", clone).out.count(f"note: syrf/production: {said}") == 1
    assert f"  {said} which production is to run?" in run("plan", clone).out


@pytest.mark.parametrize("version", ["production-4be19f2", "stagingold-1", "v2.0.0"])
def test_other_words_in_a_version_are_nobodys_environment(
    tmp_path: Path, run: Run, version: str
) -> None:
    files = two_services() | {file("staging", "api"): values("staging", version)}
    assert "the version names" not in run("check", a_clone(tmp_path, files)).out


UMBRELLA = """\
version: 1
pipelines:
  shop:
    files: umbrella/{environment}/Chart.yaml
    services: { api: {}, web: {} }
    promote: [{ copy: "dependencies[name={service}].version" }]
    environments: { staging: {}, production: { from: staging } }
"""


def test_a_lock_that_the_promotion_would_leave_behind_is_a_note(tmp_path: Path, run: Run) -> None:
    """`helm dependency build` refuses a chart whose lock is older than its dependencies."""
    chart = "dependencies: [{ name: api, version: 1.0.0 }, { name: web, version: 1.0.0 }]\n"
    files: dict[str, str | bytes] = {}
    for each in ("staging", "production"):
        files[f"umbrella/{each}/Chart.yaml"] = chart
        files[f"umbrella/{each}/Chart.lock"] = "digest: sha256:0\n"
    clone = a_clone(tmp_path, files, UMBRELLA)
    ran = run("check", clone)
    assert ran.code == 0
    assert ran.out.count("Chart.lock goes stale") == 1
    rule = '{ copy: file, in: "umbrella/{environment}/Chart.lock" }'
    assert f"with a rule such as {rule}\n" in ran.out
    commit(clone, {".pilotage.yaml": UMBRELLA.replace('version" }', f'version" }}, {rule}')})
    again = run("check", clone)
    assert (again.code, "Chart.lock" in again.out) == (0, False)


@pytest.mark.parametrize("version", ["1.10", "0123456", "1234567", "12e5", "2026-11-21"])
def test_a_version_that_yaml_takes_for_a_number_is_a_note(
    tmp_path: Path, run: Run, version: str
) -> None:
    """A short commit id of digits alone is one, and so is 1.10, of which Helm makes 1.1."""
    files = two_services()
    text = values("staging", "VERSION").replace('"VERSION"', version)
    files[file("staging", "api")] = text
    ran = run("check", a_clone(tmp_path, files))
    assert ran.code == 0
    note = f"{file('staging', 'api')}: service.chartTag: {version} is no text to YAML"
    assert ran.out.count(note) == 1
    assert ran.out.count("is no text to YAML") == 1


def test_a_small_build_number_is_no_trap(tmp_path: Path, run: Run) -> None:
    files = two_services()
    files[file("staging", "api")] = values("staging", "VERSION").replace('"VERSION"', "1234")
    assert "is no text" not in run("check", a_clone(tmp_path, files)).out


def test_a_folder_that_says_no_version_is_a_note(tmp_path: Path, run: Run) -> None:
    files = two_services()
    for environment in ("staging", "production"):
        files[file(environment, "identity")] = "envName: x\n"
        files[file(environment, "policy")] = "envName: x\n"
    ran = run("check", a_clone(tmp_path, files))
    assert ran.code == 0
    said = "nothing is promoted for identity, policy: no version in either environment"
    assert f"note: syrf/production: {said}" in ran.out
    (target,) = run("plan", tmp_path, "--json").json["targets"]
    assert target["without_version"] == ["identity", "policy"]


def test_a_value_that_no_file_has_is_a_problem(tmp_path: Path, run: Run) -> None:
    wrong = CONFIG.replace("preset: cluster-gitops", "promote: [{ copy: service.chartTga }]")
    ran = run("check", a_clone(tmp_path, two_services(), wrong))
    assert ran.code == 1
    assert ".pilotage.yaml:4: pipelines.syrf.promote: no file of staging" in ran.out
    assert "has service.chartTga" in ran.out
    assert "(did you mean `service.chartTag`?)" in ran.out
    assert file("staging", "api") in ran.out


def test_a_service_without_a_counterpart_is_a_note(tmp_path: Path, run: Run) -> None:
    files = two_services()
    files[file("staging", "new")] = values("staging", "new-v0.1.0")
    files[file("production", "old")] = values("production", "old-v3.0.0")
    ran = run("check", a_clone(tmp_path, files))
    assert ran.code == 0
    let_in = (
        "only in staging, so not promoted: new; to let it in: pilotage promote syrf/production new"
    )
    assert f"note: syrf/production: {let_in}\n" in ran.out
    assert "note: syrf/production: only in production; nothing promotes it: old\n" in ran.out
    files[file("staging", "newer")] = values("staging", "newer-v0.1.0")
    commit(tmp_path, files)
    ran = run("check", tmp_path)
    assert "new, newer; to let one in: pilotage promote syrf/production SERVICE\n" in ran.out


def test_a_folder_of_one_environment_that_says_no_version_is_not_offered_as_new(
    tmp_path: Path, run: Run
) -> None:
    files = two_services()
    files[file("staging", "policy")] = "envName: x\n"
    files[file("production", "base")] = "envName: x\n"
    ran = run("check", a_clone(tmp_path, files))
    assert ran.code == 0
    assert "nothing is promoted for base, policy: no version in either environment" in ran.out
    assert "only in" not in ran.out
    assert "policy" not in run("plan", tmp_path).out


def test_a_service_that_no_file_has(tmp_path: Path, run: Run) -> None:
    wrong = CONFIG.replace("    environments:\n", SERVICES)
    ran = run("check", a_clone(tmp_path, two_services(), wrong))
    assert ran.code == 1
    place = ".pilotage.yaml:8: pipelines.syrf.services.wbe: "
    assert f"{place}no environment has a file of wbe (did you mean `web`?)" in ran.out


def test_two_pipelines_that_promote_the_same_value(tmp_path: Path, run: Run) -> None:
    """Else they would open two pull requests about it, and each would close the other's."""
    twice = CONFIG + CONFIG.partition("pipelines:\n")[2].replace("syrf:", "again:")
    ran = run("check", a_clone(tmp_path, two_services(), twice))
    assert ran.code == 1
    written = f"syrf/production promotes service.chartTag of {file('production', 'api')} already"
    assert f".pilotage.yaml:12: pipelines.again.files: {written}" in ran.out
    assert "1 problem" in ran.out
    apart = twice.replace("again:\n", "again:\n    promote: [{ copy: service.other }]\n")
    assert "already" not in run("check", a_clone(tmp_path / "b", two_services(), apart)).out


def test_a_configuration_before_it_is_committed(tmp_path: Path, run: Run) -> None:
    clone = a_clone(tmp_path / "clone", two_services(), config=None)
    tried = tmp_path / "tried.yaml"
    tried.write_text(CONFIG.replace("files:", "flies:"))
    ran = run("check", clone, "--config", tried)
    assert (ran.code, f"{tried}:5: " in ran.out) == (1, True)
    ran = run("check", clone, "--config", tmp_path / "missing.yaml")
    assert (ran.code, "cannot be read" in ran.err) == (2, True)


def test_as_json(tmp_path: Path, run: Run) -> None:
    wrong = CONFIG.replace("from: staging", "from: stagin")
    found = run("check", a_clone(tmp_path, two_services(), wrong), "--json").json
    (problem,) = found["problems"]
    assert problem["file"] == ".pilotage.yaml"
    assert problem["line"] == 9
    assert problem["suggestion"] == "staging"
