"""`pilotage init` on real clones: what it recognises loads, fits and plans; else it says why."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilotage.core.config.load import load_config
from pilotage.core.config.policy import Mode
from pilotage.core.recognise.groups import MOST_PATHS
from pilotage.resources import presets
from tests.cli.clones import a_clone, commit, git
from tests.cli.conftest import Run

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  template:
    spec:
      containers:
        - name: {name}
          image: registry.example.org:5000/acme/{name}:{version}
"""
KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../base]
images:
  - name: {name}
    newTag: {version}
"""
CHART = """\
apiVersion: v2
name: platform
version: 0.1.0
dependencies:
  - {{ name: api, version: {version}, repository: https://charts.example.org }}
"""
IMAGE_TAG = "image:\n  repository: acme/api\n  tag: {version}\nreplicas: 2\n"
SCHEMA = "schema: {{ version: {version} }}\n"
APPS = "apps/{service}/{environment}/values.yaml"
STEPS = {"dev": "2.1.0", "staging": "2.0.0", "production": "1.9.4"}


def side_by_side(pattern: str, text: str, *services: str) -> dict[str, str | bytes]:
    """The file of each service in each environment, with another version in each."""
    return {
        pattern.replace("{environment}", name).replace("{service}", service): text.format(
            version=version, name=service, environment=name
        )
        for name, version in STEPS.items()
        for service in services or ("api",)
    }


LAYOUTS = {
    "cluster-gitops": side_by_side(
        "syrf/environments/{environment}/{service}/config.yaml",
        "envName: {environment}\nservice:\n  chartTag: {name}-v{version}\n",
        "api",
        "web",
    ),
    "helm-values": side_by_side(
        "apps/{service}/{environment}/values.yaml", IMAGE_TAG, "api", "web"
    ),
    "chart-values": side_by_side("charts/api/values-{environment}.yaml", IMAGE_TAG),
    "manifests": side_by_side(
        "kubernetes/{service}/{environment}/deployment.yaml", DEPLOYMENT, "api", "web"
    ),
    "kustomize": side_by_side(
        "apps/{service}/overlays/{environment}/kustomization.yaml", KUSTOMIZATION, "api", "web"
    ),
}


def with_readme(files: dict[str, str | bytes]) -> dict[str, str | bytes]:
    return {"README.md": "# Ours\n", "docs/production/notes.txt": "x", **files}


@pytest.mark.parametrize("preset", LAYOUTS)
def test_each_layout_becomes_a_configuration_that_plans(
    tmp_path: Path, run: Run, preset: str
) -> None:
    """What is written loads, `check` finds nothing wrong, and `plan` brings each step's version to
    the next environment."""
    clone = a_clone(tmp_path / "shop", with_readme(LAYOUTS[preset]), config=None)
    ran = run("init", clone)
    assert (ran.code, ran.err) == (0, "")
    written = clone / ".pilotage.yaml"
    config = load_config(written.read_text("utf-8"), presets())
    (pipeline,) = config.pipelines.values()
    assert pipeline.mode is Mode.OBSERVE
    assert pipeline.preset == preset
    graph = {name: each.from_ for name, each in pipeline.environments.items()}
    assert graph == {"dev": None, "staging": "dev", "production": "staging"}
    checked = run("check", clone, "--config", written)
    assert checked.code == 0, checked.out
    targets = run("plan", clone, "--config", written, "--json").json["targets"]
    for target, before, after in zip(targets, ("2.0.0", "1.9.4"), ("2.1.0", "2.0.0"), strict=True):
        assert target["problems"] == []
        assert target["changes"]
        for change in target["changes"]:
            assert change["before"].endswith(before)
            assert change["after"].endswith(after)


@pytest.mark.parametrize("preset", LAYOUTS)
def test_the_reasons_are_in_the_file_and_on_the_screen(
    tmp_path: Path, run: Run, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many files differ only in which names, an example, and which value is the version."""
    clone = a_clone(tmp_path / "shop", LAYOUTS[preset], config=None)
    monkeypatch.chdir(clone)
    ran = run("init")
    text = flowing((clone / ".pilotage.yaml").read_text("utf-8"))
    count = len(LAYOUTS[preset])
    for said in (text, flowing(ran.out)):
        assert f"{count} files differ only in dev, staging and production" in said
        assert "The version is" in said
    assert "dev -> staging -> production" in ran.out
    assert "Now production differs from staging" in ran.out
    assert "pilotage check" in ran.out
    assert "pilotage plan" in ran.out
    assert all(len(line) <= 80 for line in ran.out.splitlines())


@pytest.mark.parametrize("preset", LAYOUTS)
def test_the_page_of_the_layouts_shows_what_is_written(
    tmp_path: Path, run: Run, preset: str
) -> None:
    clone = a_clone(tmp_path / "shop", LAYOUTS[preset], config=None)
    _, _, written = run("init", clone, "--print").out.partition("\nversion: 1\n")
    page = (Path(__file__).parents[2] / "docs" / "layouts.md").read_text("utf-8")
    assert f"```yaml\nversion: 1\n{written.rstrip()}\n```" in page


def flowing(text: str) -> str:
    return re.sub(r"\s*\n\s*#?\s*", " ", text)


class TestOtherShapes:
    def test_application_revisions(self, tmp_path: Path, run: Run) -> None:
        application = (
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
            "metadata: {{ name: api-{environment} }}\n"
            "spec:\n  source: {{ chart: api, targetRevision: {version} }}\n"
        )
        files = side_by_side("argocd/{environment}/{service}.yaml", application, "api", "web")
        found = document(tmp_path, run, files)
        (pipeline,) = found["pipelines"]
        assert pipeline["files"] == "argocd/{environment}/{service}.yaml"
        assert [each["path"] for each in pipeline["promote"]] == ["spec.source.targetRevision"]

    def test_dependencies_of_an_umbrella_chart(self, tmp_path: Path, run: Run) -> None:
        found = document(tmp_path, run, side_by_side("{environment}/Chart.yaml", CHART))
        (pipeline,) = found["pipelines"]
        assert pipeline["preset"] == "chart-values"
        assert [each["path"] for each in pipeline["promote"]] == ["dependencies[name=api].version"]

    def test_several_services_in_one_file(self, tmp_path: Path, run: Run) -> None:
        both = "api:\n  image: {{ tag: {version} }}\nweb:\n  image: {{ tag: {version} }}\n"
        found = document(tmp_path, run, side_by_side("helm/{environment}.yaml", both))
        (pipeline,) = found["pipelines"]
        assert pipeline["services"] == ["api", "web"]
        assert [each["path"] for each in pipeline["promote"]] == ["{service}.image.tag"]
        (changed, _) = plan(tmp_path, run, found)
        assert [each["service"] for each in changed["changes"]] == ["api", "web"]

    def test_several_deployments_in_one_file(self, tmp_path: Path, run: Run) -> None:
        text = "---\n".join(
            DEPLOYMENT.replace("{name}", name) for name in ("backend", "agents", "router")
        )
        found = document(tmp_path, run, side_by_side("deploy/{environment}/deployment.yaml", text))
        (pipeline,) = found["pipelines"]
        assert pipeline["services"] == ["agents", "backend", "router"]
        (changed, _) = plan(tmp_path, run, found)
        assert [each["after"] for each in changed["changes"]] == ["2.1.0"] * 3

    def test_image_names_that_are_not_the_services(self, tmp_path: Path, run: Run) -> None:
        files = {
            **side_by_side("c/a/{environment}/kustomization.yaml", KUSTOMIZATION, "acme/alpha"),
            **side_by_side("c/b/{environment}/kustomization.yaml", KUSTOMIZATION, "acme/beta"),
        }
        found = document(tmp_path, run, files)
        (pipeline,) = found["pipelines"]
        assert [each["path"] for each in pipeline["promote"]] == ["images[0].newTag"]
        (changed, _) = plan(tmp_path, run, found)
        assert [each["service"] for each in changed["changes"]] == ["a", "b"]

    def test_an_odd_one_out_gets_rules_of_its_own(self, tmp_path: Path, run: Run) -> None:
        pattern = "c/{service}/{environment}/kustomization.yaml"
        two = KUSTOMIZATION.rstrip() + "\n  - name: init\n    newTag: {version}\n"
        files = side_by_side(pattern, KUSTOMIZATION, "api", "web", "pm")
        files |= side_by_side(pattern, two, "odd")
        found = document(tmp_path, run, files)
        (pipeline,) = found["pipelines"]
        assert pipeline["services"] == ["api", "odd", "pm", "web"]
        own = load_config(found["config"], presets()).pipelines[pipeline["name"]].services["odd"]
        assert own.promote is not None
        assert len(own.promote) == 2
        (changed, _) = plan(tmp_path, run, found)
        assert len(changed["changes"]) == 4

    def test_regions_follow_their_own_and_are_asked_about_where_unclear(
        self, tmp_path: Path, run: Run
    ) -> None:
        versions = {
            "integration-gpu": 3, "integration-cpu": 3, "staging-eu": 2, "staging-us": 2,
            "prod-eu": 1, "prod-us": 1,
        }  # fmt: skip
        files: dict[str, str | bytes] = {
            f"envs/{name}/version.yml": DEPLOYMENT.format(name="api", version=f"1.{number}")
            for name, number in versions.items()
        }
        found = document(tmp_path, run, files)
        (pipeline,) = found["pipelines"]
        graph = {each["name"]: each["from"] for each in pipeline["environments"]}
        assert graph["prod-eu"] == "staging-eu"
        assert graph["prod-us"] == "staging-us"
        assert graph["staging-eu"] == "integration-cpu"
        asked = "Or from integration-gpu? The names do not tell the order: please say."
        assert asked in flowing(found["config"])

    def test_an_environment_whose_values_only_move_is_left_out(
        self, tmp_path: Path, run: Run
    ) -> None:
        files = LAYOUTS["helm-values"] | {
            f"apps/{service}/dev/values.yaml": IMAGE_TAG.format(version="latest")
            for service in ("api", "web")
        }
        found = document(tmp_path, run, files)
        (pipeline,) = found["pipelines"]
        assert [each["name"] for each in pipeline["environments"]] == ["staging", "production"]
        said = "dev is left out: none of 2 files there say a version"
        assert f"{said}; others say a name that moves, such as `latest`." in flowing(
            found["config"]
        )

    def test_what_is_left_out_is_named_by_its_keys(self, tmp_path: Path, run: Run) -> None:
        files = side_by_side("envs/{environment}.json", '{{"aVersion": "1.0", "bVersion": "1.0"}}')
        files |= LAYOUTS["helm-values"]
        ran = run("init", a_clone(tmp_path, {**files}, config=None), "--print")
        assert "#   --files 'envs/{environment}.json'\n  #     (aVersion, bVersion)" in ran.out

    def test_what_else_looks_like_a_version_is_named_with_its_document(
        self, tmp_path: Path, run: Run
    ) -> None:
        more = '      initContainers: [{{name: migrate, image: "r.io/{name}-m:{version}"}}]\n'
        text = "---\n".join((DEPLOYMENT + more).replace("{name}", each) for each in ("api", "web"))
        files = side_by_side("k8s/{environment}/all.yaml", text)
        ran = run("init", a_clone(tmp_path, {**files}, config=None), "--print")
        for service in ("api", "web"):
            assert (
                "      # - image: spec.template.spec.initContainers[name=migrate].image\n"
                f'      #   document: "kind=Deployment,metadata.name={service}"\n'
            ) in ran.out

    def test_so_is_one_of_the_files_that_a_person_names(self, tmp_path: Path, run: Run) -> None:
        """What could never be promoted is not proposed because somebody said where it stands."""
        files = side_by_side("env/{environment}.yaml", "A_TAG: '{version}'\nB_TAG: '{version}'\n")
        files["env/dev.yaml"] = "A_TAG: latest\nB_TAG: latest\n"
        clone = a_clone(tmp_path, {**files}, config=None)
        options = ("--files", "env/{environment}.yaml", "--promote", "A_TAG", "--promote", "B_TAG")
        ran = run("init", clone, *options, "--print", "--json")
        (pipeline,) = ran.json["pipelines"]
        assert [each["name"] for each in pipeline["environments"]] == ["staging", "production"]
        said = flowing(ran.json["config"])
        assert "dev is left out: none of 2 values there is a version; others say" in said
        assert "The version is the value of the service's name (1.9.4 in that one)." in said
        commit(clone, {f"env/{name}.yaml": "A_TAG: latest\nB_TAG: latest\n" for name in STEPS})
        ran = run("init", clone, *options, "--print")
        assert (ran.code, "A_TAG is `latest` in dev" in flowing(ran.out)) == (1, True)

    def test_a_file_without_an_environments_name_is_asked_about(
        self, tmp_path: Path, run: Run
    ) -> None:
        """`values-staging.yaml` only says what differs from production's `values.yaml`."""
        files: dict[str, str | bytes] = {}
        for service in ("api", "web"):
            for name, version in (("values", "1.0.0"), ("values-staging", "1.1.0")):
                files[f"services/{service}/{name}.yaml"] = IMAGE_TAG.format(version=version)
        found = document(tmp_path, run, files)
        asked = "values.yaml names no environment: is it production's?"
        assert asked in flowing(found["config"])
        (target,) = plan(tmp_path, run, found)
        assert target["target"].endswith("/production")
        assert [each["files"] for each in target["changes"]] == [
            ["services/api/values.yaml"],
            ["services/web/values.yaml"],
        ]

    def test_an_environment_that_mostly_inherits_its_versions_is_not_understood(
        self, tmp_path: Path, run: Run
    ) -> None:
        files: dict[str, str | bytes] = {}
        for number in range(5):
            folder = f"services/s{number}"
            files[f"{folder}/values.yaml"] = IMAGE_TAG.format(version="1.0.0")
            more = IMAGE_TAG.format(version="1.1.0") if number < 2 else "debug: true\n"
            files[f"{folder}/values-staging.yaml"] = more
        ran = run("init", a_clone(tmp_path, files, config=None))
        assert ran.code == 1

    def test_two_layouts_become_two_pipelines(self, tmp_path: Path, run: Run) -> None:
        files = LAYOUTS["helm-values"] | LAYOUTS["kustomize"]
        found = document(tmp_path, run, files)
        assert [each["preset"] for each in found["pipelines"]] == ["kustomize", "helm-values"]
        assert len({each["name"] for each in found["pipelines"]}) == 2
        assert len(plan(tmp_path, run, found)) == 4

    def test_what_is_perhaps_a_version_is_only_mentioned(self, tmp_path: Path, run: Run) -> None:
        doubtful = side_by_side(
            "db/{environment}/settings.yaml", "schema: {{ version: {version} }}\n"
        )
        found = document(tmp_path, run, LAYOUTS["kustomize"] | doubtful)
        assert [each["stands"] for each in found["pipelines"]] == ["written", "left out"]
        assert "--files 'db/{environment}/settings.yaml'" in found["config"]
        clone, files = tmp_path / "shop", "db/{environment}/settings.yaml"
        (asked,) = run("init", clone, "--print", "--json", "--files", files).json["pipelines"]
        assert (asked["stands"], asked["files"]) == ("written", files)

    def test_what_is_perhaps_a_version_is_proposed_where_it_is_all_there_is(
        self, tmp_path: Path, run: Run
    ) -> None:
        doubtful = side_by_side(
            "db/{environment}/settings.yaml", "schema: {{ version: {version} }}\n"
        )
        found = document(tmp_path, run, doubtful)
        assert [each["stands"] for each in found["pipelines"]] == ["written"]
        assert "Is this what you promote?" in found["config"]

    @pytest.mark.parametrize(
        "line", ["postgresql: {{ image: {{ tag: {version} }} }}", "redis: {{ image: r:{version} }}"]
    )
    def test_a_dependency_of_the_chart_is_asked_about(
        self, tmp_path: Path, run: Run, line: str
    ) -> None:
        """Somebody else's software goes its own way: beside a version of the team's own it is only
        mentioned, and alone it is a question."""
        files = side_by_side("{service}/{environment}/values.yaml", f"{line}\n", "api", "web")
        found = document(tmp_path / "alone", run, files)
        assert "Is this what you promote?" in found["config"]
        own = f"image: {{{{ tag: {{version}} }}}}\n{line}\n"
        files = side_by_side("{service}/{environment}/values.yaml", own, "api", "web")
        found = document(tmp_path / "beside", run, files)
        (pipeline,) = found["pipelines"]
        assert [each["path"] for each in pipeline["promote"]] == ["image.tag"]
        assert "Is this what you promote?" not in found["config"]


def document(tmp_path: Path, run: Run, files: dict[str, str | bytes]) -> Any:
    """What `init --print --json` says of a clone with these files."""
    clone = a_clone(tmp_path / "shop", files, config=None)
    ran = run("init", clone, "--print", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert not (clone / ".pilotage.yaml").exists()
    return ran.json


def plan(tmp_path: Path, run: Run, found: Any) -> Any:
    """What `plan` says of what `init` proposed: it must have no problem."""
    proposed = tmp_path / "proposed.yaml"
    proposed.write_text(found["config"], encoding="utf-8")
    ran = run("plan", tmp_path / "shop", "--config", proposed, "--json")
    assert ran.code == 0, ran.out
    return ran.json["targets"]


class TestWriting:
    def test_it_never_overwrites(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path, LAYOUTS["helm-values"], config="version: 1 # ours\n")
        ran = run("init", clone)
        assert (ran.code, "there is a .pilotage.yaml already" in ran.err) == (1, True)
        (clone / ".pilotage.yaml").unlink()  # still in the commit
        assert run("init", clone).code == 1
        assert run("init", clone, "--print").code == 0

    def test_nor_a_file_that_is_not_committed_nor_through_a_link(
        self, tmp_path: Path, run: Run
    ) -> None:
        clone = a_clone(tmp_path / "shop", LAYOUTS["helm-values"], config=None)
        place, outside = clone / ".pilotage.yaml", tmp_path / "outside.yaml"
        place.write_text("mine\n")
        assert run("init", clone).code == 1
        assert place.read_text() == "mine\n"
        place.unlink()
        place.symlink_to(outside)
        assert run("init", clone).code == 1
        assert not outside.exists()

    def test_it_goes_to_the_root_from_any_folder(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path, LAYOUTS["helm-values"], config=None)
        assert run("init", clone / "apps" / "api").code == 0
        assert (clone / ".pilotage.yaml").is_file()

    @pytest.mark.parametrize(("here", "place"), [("shop", "."), ("", "shop"), ("shop/apps", ".")])
    def test_the_commands_that_it_shows_work_where_it_was_called(
        self, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, here: str, place: str
    ) -> None:
        a_clone(tmp_path / "shop", LAYOUTS["helm-values"], config=None)
        monkeypatch.chdir(tmp_path / here)
        said = run("init", place).out
        shown = re.findall(r"^  (pilotage (?:check|plan).*?)   ", said, re.M)
        assert len(shown) == 2
        for line in shown:
            assert run(*shlex.split(line)[1:]).code == 0, line

    def test_so_does_the_one_that_asks_for_the_paths(
        self, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        a_clone(tmp_path / "a shop", LAYOUTS["helm-values"], config=None)
        monkeypatch.chdir(tmp_path)
        said = run("init", "a shop", "--files", "aps/{service}/{environment}/values.yaml").out
        (line,) = [each for each in said.splitlines() if "pilotage init" in each]
        assert run(*shlex.split(line)[1:]).code == 0, line

    def test_print_is_the_file_and_nothing_else(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path, LAYOUTS["helm-values"], config=None)
        printed = run("init", clone, "--print").out
        assert not (clone / ".pilotage.yaml").exists()
        run("init", clone)
        assert (clone / ".pilotage.yaml").read_text("utf-8") == printed

    def test_a_bare_clone_has_no_place_for_it(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path / "clone", LAYOUTS["helm-values"], config=None)
        git(tmp_path, "clone", "--quiet", "--bare", str(clone), "bare.git")
        ran = run("init", tmp_path / "bare.git")
        assert (ran.code, "use --print" in ran.err) == (2, True)
        assert run("init", tmp_path / "bare.git", "--print").code == 0

    def test_it_looks_at_the_commit_and_not_at_the_work_tree(
        self, tmp_path: Path, run: Run
    ) -> None:
        clone = a_clone(tmp_path, LAYOUTS["helm-values"], config=None)
        (clone / "apps" / "api" / "staging" / "values.yaml").write_text("nonsense: true\n")
        assert run("init", clone).code == 0


class TestOneSide:
    def test_a_service_that_one_environment_has_is_not_called_silent(
        self, tmp_path: Path, run: Run
    ) -> None:
        """It says its version there: `check` names it as new, and nothing else is said of it."""
        files = {
            f"charts/{service}/values-{name}.yaml": IMAGE_TAG.format(version=version)
            for service in ("api", "web")
            for name, version in (("dev", "2.0.0"), ("prod", "1.0.0"))
        }
        files |= {
            "charts/new/values-dev.yaml": IMAGE_TAG.format(version="2.0.0"),
            "charts/new/values.yaml": "port: 80\n",
        }
        ran = run("init", a_clone(tmp_path, {**files}, config=None), "--print")
        assert "files: charts/{service}/values-{environment}.yaml" in ran.out
        assert "Nothing is promoted for" not in ran.out


class TestNotRecognised:
    def test_no_environments(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path, {"app/values.yaml": "image: { tag: 1.0.0 }\n"}, config=None)
        ran = run("init", clone)
        assert ran.code == 1
        assert not (clone / ".pilotage.yaml").exists()
        said = flowing(ran.out)
        assert "Looked at the name of 1 file at" in said
        assert "No two files differ only in the name of an environment" in said
        assert "--files 'apps/{service}/{environment}/values.yaml' --promote image.tag" in said

    def test_environments_without_versions(self, tmp_path: Path, run: Run) -> None:
        files = side_by_side("helm/values-{environment}.yaml", "host: {environment}.example.org\n")
        ran = run("init", a_clone(tmp_path, files, config=None))
        assert ran.code == 1
        assert "helm/values-{environment}.yaml (dev, production, staging)" in flowing(ran.out)
        assert "no value there looks like a version" in flowing(ran.out)
        assert "--files 'helm/values-{environment}.yaml' --promote PATH" in ran.out
        assert "`PATH` is where the version stands, such as image.tag" in flowing(ran.out)

    def test_a_file_for_all_is_called_as_it_is(self, tmp_path: Path, run: Run) -> None:
        """No environment is invented for it, and no pattern offered that one alone has."""
        files = {"a/values.yaml": "host: x\n", "a/values-prod.yaml": "host: y\n"}
        said = flowing(run("init", a_clone(tmp_path, {**files}, config=None)).out)
        assert "a/values-{environment}.yaml (prod, values.yaml): no value there" in said
        assert "--files 'apps/{service}/{environment}/values.yaml'" in said
        files |= {f"b/values-{name}.yaml": "host: x\n" for name in ("staging", "prod")}
        commit(tmp_path, {**files})
        said = flowing(run("init", tmp_path).out)
        assert "such as b/values-{environment}.yaml (prod, staging)" in said
        assert "--files 'b/values-{environment}.yaml' --promote PATH" in said

    def test_files_of_other_endings_that_are_yaml(self, tmp_path: Path, run: Run) -> None:
        """`staging.env` of helmfile: it is not said that there are no environments."""
        env = 'API_DOCKER_TAG: "{version}"\nHOST: x\n'
        files = side_by_side("helmfile/{environment}.env", env)
        files |= side_by_side("docs/{environment}.md", "# {environment}\n\nText\n")
        clone = a_clone(tmp_path, files, config=None)
        ran = run("init", clone)
        assert ran.code == 1
        said = flowing(ran.out)
        assert "such as dev, staging and production. Are" not in said
        assert "These do, and can be read as such: helmfile/{environment}.env (dev," in said
        assert "--files 'helmfile/{environment}.env' --promote PATH" in said
        again = run("init", clone, "--files", "helmfile/{environment}.env", "--print")
        assert "copy: API_DOCKER_TAG" in again.out

    def test_other_endings_that_are_no_yaml(self, tmp_path: Path, run: Run) -> None:
        files = side_by_side("tf/{environment}.tfvars", 'tag = "{version}"\nhost = "x"\n')
        said = flowing(run("init", a_clone(tmp_path, files, config=None)).out)
        assert "No two files differ only in the name of an environment, such as dev" in said

    def test_names_that_move(self, tmp_path: Path, run: Run) -> None:
        files = side_by_side("{environment}/values.yaml", "image: {{ tag: {environment} }}\n")
        ran = run("init", a_clone(tmp_path, files, config=None))
        assert ran.code == 1
        assert "image.tag is `dev` in dev" in flowing(ran.out)

    def test_templates_and_what_is_no_text(self, tmp_path: Path, run: Run) -> None:
        files: dict[str, str | bytes] = {
            "a/dev/x.yaml": "{{- if .x }}\nb: 1\n", "a/prod/x.yaml": b"\xff\xfe\x00",
        }  # fmt: skip
        ran = run("init", a_clone(tmp_path, files, config=None))
        assert ran.code == 1
        assert "2 of them are not YAML or JSON" in flowing(ran.out)

    def test_an_empty_commit_and_no_commit(self, tmp_path: Path, run: Run) -> None:
        git(tmp_path, "init", "--quiet", "--initial-branch=main")
        ran = run("init", tmp_path)
        assert (ran.code, "has no commit yet" in ran.err) == (2, True)
        git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "empty")
        ran = run("init", tmp_path)
        assert (ran.code, "Looked at the names of 0 files" in ran.out) == (1, True)

    def test_as_json(self, tmp_path: Path, run: Run) -> None:
        files = side_by_side("{environment}/values.yaml", "image: {{ tag: {environment} }}\n")
        ran = run("init", a_clone(tmp_path, files, config=None), "--json")
        assert ran.code == 1
        assert ran.json["config"] is None
        assert ran.json["written"] is False
        (moving,) = ran.json["not_understood"]["moving"]
        assert moving["values"] == {name: name for name in ("dev", "production", "staging")}

    def test_the_command_that_it_shows_works_once_it_is_true(
        self, tmp_path: Path, run: Run
    ) -> None:
        """A person who takes the example at its word gets somewhere."""
        files = side_by_side("helm/values-{environment}.yaml", "image: {{ tag: v{version} }}\n")
        clone = a_clone(tmp_path, {"x/y.yaml": "a: 1\n"}, config=None)
        (line,) = [each for each in run("init", clone).out.splitlines() if "--files" in each]
        moved = {path.replace("helm/", "apps/api/"): text for path, text in files.items()}
        moved = {re.sub(r"values-(\w+)", r"\1/values", path): text for path, text in moved.items()}
        commit(clone, moved)
        assert run(*shlex.split(line)[1:]).code == 0


class TestSayingWhere:
    PATTERN = "odd/{environment}-x/{service}.yaml"
    FILES = side_by_side(PATTERN, "b: {{ c: {version} }}\n", "api", "web")

    def test_files_and_value(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path / "shop", self.FILES, config=None)
        assert run("init", clone).code == 1
        options = ("--files", self.PATTERN, "--promote", "b.c")
        ran = run("init", clone, *options, "--print", "--json")
        assert ran.code == 0, ran.out
        (pipeline,) = ran.json["pipelines"]
        assert pipeline["services"] == ["api", "web"]
        assert len(plan(tmp_path, run, ran.json)) == 2

    def test_a_value_that_is_not_there_names_what_is(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path / "shop", LAYOUTS["helm-values"], config=None)
        ran = run("init", clone, "--files", APPS, "--promote", "image.tga")
        assert ran.code == 1
        said = flowing(ran.out)
        assert "not two environments have image.tga" in said
        assert "What looks like a version there: image.tag." in said
        assert f"--files '{APPS}' --promote image.tag" in said

    def test_an_image_string_becomes_an_image_rule(self, tmp_path: Path, run: Run) -> None:
        files = side_by_side("{environment}.yaml", "run: acme/api:{version}\n")
        clone = a_clone(tmp_path / "shop", files, config=None)
        options = ("--files", "{environment}.yaml", "--promote", "run", "--print", "--json")
        (rule,) = run("init", clone, *options).json["pipelines"][0]["promote"]
        assert rule == {"path": "run", "image": True, "document": None}

    def test_from_and_to_name_any_environments(self, tmp_path: Path, run: Run) -> None:
        files: dict[str, str | bytes] = {
            f"{name}/values.yaml": IMAGE_TAG.format(version=version)
            for name, version in (("atlas", "2.0"), ("omega", "1.0"), ("staging", "3.0"))
        }
        clone = a_clone(tmp_path / "shop", files, config=None)
        assert run("init", clone).code == 1
        ran = run("init", clone, "--from", "atlas", "--to", "omega", "--print", "--json")
        (pipeline,) = ran.json["pipelines"]
        graph = {each["name"]: each["from"] for each in pipeline["environments"]}
        assert graph == {"atlas": None, "omega": "atlas"}
        assert [each["after"] for each in pipeline["changes"]] == ["2.0"]

    def test_unknown_names_ask_for_the_order(self, tmp_path: Path, run: Run) -> None:
        files: dict[str, str | bytes] = {
            f"{name}/values.yaml": IMAGE_TAG.format(version="1.0") for name in ("atlas", "omega")
        }
        clone = a_clone(tmp_path, files, config=None)
        ran = run("init", clone, "--files", "{environment}/values.yaml")
        assert ran.code == 1
        assert "--from atlas --to omega" in ran.err

    def test_a_pattern_that_matches_nothing(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path, LAYOUTS["helm-values"], config=None)
        ran = run("init", clone, "--files", "aps/{service}/{environment}/values.yaml")
        assert ran.code == 1
        assert "No two environments have a file that matches aps/" in flowing(ran.out)

    @pytest.mark.parametrize(
        "wrong",
        ["aps/{service}/{environment}/values.yaml", "apps/{service}/{environment}/value.yml"],
    )
    def test_a_pattern_that_matches_nothing_is_mended_by_the_command_that_is_shown(
        self, tmp_path: Path, run: Run, wrong: str
    ) -> None:
        clone = a_clone(tmp_path, LAYOUTS["helm-values"], config=None)
        for options in ((), ("--promote", "image.tag")):
            ran = run("init", clone, "--files", wrong, *options)
            (line,) = [each for each in ran.out.splitlines() if "pilotage init" in each]
            assert APPS in line
            assert run(*shlex.split(line)[1:], "--print").code == 0

    def test_environments_that_no_file_names(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path, LAYOUTS["helm-values"], config=None)
        ran = run("init", clone, "--from", "canary", "--to", "main")
        assert ran.code == 1
        assert "No two files differ only in the names canary and main." in flowing(ran.out)

    def test_a_path_that_is_not_there_is_not_proposed_once_more(
        self, tmp_path: Path, run: Run
    ) -> None:
        files = side_by_side("{environment}/values.yaml", "host: {environment}.example.org\n")
        clone = a_clone(tmp_path, files, config=None)
        pattern = "{environment}/values.yaml"
        ran = run("init", clone, "--files", pattern, "--promote", "image.tag")
        assert "not two environments have image.tag" in flowing(ran.out)
        assert f" --files '{pattern}' --promote PATH" in ran.out

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--from", "staging"), "--from and --to go together"),
            (("--from", "a", "--to", "a"), "the same environment"),
            (("--from", "a/b", "--to", "c"), "no name of an environment"),
            (("--promote", "image.tag"), "--promote needs --files"),
            (("--files", "x/{service}.yaml"), "must contain {environment}"),
            (("--files", "{environment}/{servise}.yaml"), "nothing fills {servise}"),
            (("--files", "../{environment}.yaml"), "inside the repository"),
        ],
    )
    def test_used_wrongly(
        self, tmp_path: Path, run: Run, options: tuple[str, ...], said: str
    ) -> None:
        ran = run("init", a_clone(tmp_path, LAYOUTS["helm-values"], config=None), *options)
        assert (ran.code, ran.out) == (2, "")
        assert said in ran.err


class TestHostileRepositories:
    def test_names_that_are_yaml_stay_names(self, tmp_path: Path, run: Run) -> None:
        """A path cannot add keys, end a comment or become another type."""
        odd = [
            "a: b #c", "'", '"', "*x", "&y", "!z", "%d", "@e", "`f", "null", "on", "1.0", "0x1F",
            "- g", "?", "[h]", "{i}", "=", "~", "\N{SNOWMAN}", "x" * 200, " ",
        ]  # fmt: skip
        files: dict[str, str | bytes] = {}
        for folder in odd:
            files |= side_by_side(
                f"{folder.replace('{', '{{')}/{{environment}}/values.yaml", IMAGE_TAG
            )
        found = document(tmp_path, run, files)
        assert all(each["mode"] == "observe" for each in as_data(found["config"]))
        plan(tmp_path, run, found)

    def test_values_cannot_steer_the_terminal_or_the_file(self, tmp_path: Path, run: Run) -> None:
        evil = 'image: {{ tag: "1.0\\e[31m\\n  mode: propose {version}" }}\n'
        files = side_by_side("{environment}/values.yaml", evil) | {
            f"{name}/x.yaml": f"image: {{tag: '1.{name}'}}\n" for name in STEPS
        }
        ran = run("init", a_clone(tmp_path, files, config=None), "--print")
        assert "\x1b" not in ran.out
        assert "propose {" not in ran.out

    def test_links_and_submodules_are_not_followed(self, tmp_path: Path, run: Run) -> None:
        clone = a_clone(tmp_path / "shop", {"x.yaml": IMAGE_TAG.format(version="1.0")}, config=None)
        for name in STEPS:
            (clone / name).mkdir()
            (clone / name / "values.yaml").symlink_to("../x.yaml")
        commit(clone, {})
        ran = run("init", clone)
        assert (ran.code, "Looked at the name of 1 file " in ran.out) == (1, True)

    def test_a_huge_repository_is_looked_at_in_part_and_says_so(
        self, tmp_path: Path, run: Run
    ) -> None:
        a_huge_clone(tmp_path, MOST_PATHS + 500)
        ran = run("init", tmp_path)
        assert ran.code == 0, ran.err
        said = flowing(ran.out)
        assert "Looked at the names of 100,000 files" in said
        assert "of 100,500; the others were too many" in said
        assert "96,000 more such files were too many to read" in said

    def test_nesting_and_aliases_that_blow_up_are_not_read(self, tmp_path: Path, run: Run) -> None:
        bomb = "a: &a [x,x]\n" + "".join(f"b{n}: &b{n} [*a,*a]\n" for n in range(50))
        deep = "[" * 5_000 + "]" * 5_000
        files: dict[str, str | bytes] = {
            **{f"d/{name}/deep.yaml": deep for name in STEPS},
            **{f"d/{name}/bomb.yaml": bomb for name in STEPS},
            **{f"d/{name}/large.yaml": "a: 1\n" * 100_000 for name in STEPS},
        }
        ran = run("init", a_clone(tmp_path, files, config=None))
        assert (ran.code, "not YAML or JSON, or too large" in flowing(ran.out)) == (1, True)


def as_data(text: str) -> list[dict[str, Any]]:
    return [*yaml.safe_load(text)["pipelines"].values()]


def a_huge_clone(folder: Path, files: int) -> None:
    """All files have one content: the names are what counts."""
    git(folder, "init", "--quiet", "--initial-branch=main")
    text = IMAGE_TAG.format(version="1.0.0")
    names = [f"t{n // 300}/s{n // 3}/{[*STEPS][n % 3]}/values.yaml" for n in range(files)]
    stream = [f"blob\nmark :1\ndata {len(text)}\n{text}\n"]
    stream.append("commit refs/heads/main\ncommitter a <a@example.org> 0 +0000\ndata 1\nx\n")
    stream += [f"M 100644 :1 {name}\n" for name in names]
    git(folder, "fast-import", "--quiet", given="".join(stream))
