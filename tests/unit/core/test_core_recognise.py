"""Which words are environments, in which order; which values are versions; and that whatever is
proposed can be loaded and used."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from pilotage.core.config.load import load_config
from pilotage.core.config.policy import Mode
from pilotage.core.recognise import Findings, Names, recognise, sources
from pilotage.core.recognise.groups import grouped
from pilotage.core.recognise.places import Place, is_settled, read
from pilotage.core.recognise.proposal import propose
from pilotage.core.recognise.proposal_text import config_text
from pilotage.resources import presets


def keys(*paths: str) -> dict[str, dict[str, str]]:
    return {each.key: dict(each.files) for each in grouped(paths, Names())}


@pytest.mark.parametrize(
    ("first", "second", "key", "names"),
    [
        ("a/dev/v.yaml", "a/prod/v.yaml", "a/{environment}/v.yaml", ("dev", "prod")),
        ("v-staging.yaml", "v-prd.yaml", "v-{environment}.yaml", ("staging", "prd")),
        ("v.stg.yml", "v.live.yml", "v.{environment}.yml", ("stg", "live")),
        ("qa.json", "production.json", "{environment}.json", ("qa", "production")),
        ("pre-prod/x.yaml", "prod/x.yaml", "{environment}/x.yaml", ("pre-prod", "prod")),
        ("a-uat/x.yaml", "a-prod/x.yaml", "a-{environment}/x.yaml", ("uat", "prod")),
        ("Staging/x.yaml", "Prod/x.yaml", "{environment}/x.yaml", ("Staging", "Prod")),
        ("stage/a-stage.yaml", "prod/a-prod.yaml", "{environment}/a-{environment}.yaml", None),
        ("eu-dev/x.yaml", "eu-prod/x.yaml", "{environment}/x.yaml", ("eu-dev", "eu-prod")),
        ("v-test-eu.yaml", "v-prod-eu.yaml", "v-{environment}.yaml", ("test-eu", "prod-eu")),
        ("envs/int-gpu/x.yaml", "envs/prod-x/x.yaml", "envs/{environment}/x.yaml", None),
        ("v-alpha.yaml", "v-prod.yaml", "v-{environment}.yaml", ("alpha", "prod")),
        ("a/beta/x.yaml", "a/live/x.yaml", "a/{environment}/x.yaml", ("beta", "live")),
        ("tags/dev/api", "tags/prod/api", "tags/{environment}/api", ("dev", "prod")),
    ],
)
def test_paths_that_differ_only_in_an_environment(
    first: str, second: str, key: str, names: tuple[str, str] | None
) -> None:
    found = keys(first, second)
    assert key in found
    if names is not None:
        assert found[key] == {names[0]: first, names[1]: second}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a/product/v.yaml", "a/develop/v.yaml"),  # one of them is no environment's name
        ("a/prod/v.yaml", "a/production/v.yaml"),  # the same step twice
        ("a/test/v.yaml", "a/load/v.yaml"),  # neither word is clear without another
        ("a/dev/v.yaml", "b/prod/v.yaml"),  # they differ elsewhere too
        (".github/dev/v.yaml", ".github/prod/v.yaml"),
        ("chart/templates/dev.yaml", "chart/templates/prod.yaml"),
        ("a/dev/main.tf", "a/prod/main.tf"),
        ("tests/dev/v.yaml", "tests/prod/v.yaml"),
        ("a/expected/dev.yaml", "a/expected/prod.yaml"),
        ("{service}/dev/v.yaml", "{service}/prod/v.yaml"),
    ],
)
def test_paths_that_are_no_environments_side_by_side(first: str, second: str) -> None:
    assert keys(first, second) == {}


@pytest.mark.parametrize(
    ("paths", "files"),
    [
        (("a/v-stg.yaml", "a/v.yaml"), {"stg": "a/v-stg.yaml", "production": "a/v.yaml"}),
        (("a/v.prod.yaml", "a/v.yaml"), {"prod": "a/v.prod.yaml", "staging": "a/v.yaml"}),
    ],
)
def test_a_file_that_names_no_environment(paths: Sequence[str], files: dict[str, str]) -> None:
    assert files in keys(*paths).values()


def test_it_is_for_all_where_several_environments_have_their_own() -> None:
    (found,) = keys("a/v-stg.yaml", "a/v-prod.yaml", "a/v.yaml").values()
    assert found.keys() == {"stg", "prod"}


def test_a_service_that_is_called_as_an_environment() -> None:
    """The key that explains more environments is there too."""
    found = keys(*(f"c/integration/{name}/k.yaml" for name in ("staging", "production")))
    assert found["c/integration/{environment}/k.yaml"].keys() == {"staging", "production"}


@pytest.mark.parametrize(
    ("names", "graph"),
    [
        ("prod staging dev", {"dev": "", "staging": "dev", "prod": "staging"}),
        ("prd tst pre dev", {"dev": "", "tst": "dev", "pre": "tst", "prd": "pre"}),
        ("uat prod", {"uat": "", "prod": "uat"}),
        ("prod beta alpha dev", {"dev": "", "alpha": "dev", "beta": "alpha", "prod": "beta"}),
        (
            "integration load staging production",
            {
                "integration": "",
                "load": "integration",
                "staging": "load",
                "production": "staging",
            },
        ),
        (
            "staging prod-eu prod-us",
            {"staging": "", "prod-eu": "staging", "prod-us": "staging"},
        ),
        (
            "stg-eu stg-us prod-eu prod-us",
            {"stg-eu": "", "stg-us": "", "prod-eu": "stg-eu", "prod-us": "stg-us"},
        ),
    ],
)
def test_the_order_of_environments(names: str, graph: dict[str, str]) -> None:
    found = sources(names.split(), Names())
    assert {name: each.name if each else "" for name, each in found.items()} == graph
    assert not any(each.others for each in found.values() if each)


def test_an_order_that_names_do_not_tell_names_the_others() -> None:
    found = sources(["test", "qa", "prod"], Names())["prod"]
    assert found is not None
    assert (found.name, found.others) == ("qa", ("test",))


def test_given_names_are_the_only_ones() -> None:
    paths = ["a/blue/v.yaml", "a/green/v.yaml", "a/dev/v.yaml", "a/prod/v.yaml"]
    (group,) = grouped(paths, Names(("blue", "green")))
    assert group.files == {"blue": "a/blue/v.yaml", "green": "a/green/v.yaml"}


@pytest.mark.parametrize(
    "value",
    [
        *("1.2.3", "v749", "api-v9.1.1", "2025-11-10-034557-production", "fd827c6", "1.0"),
        *("sha-d249a61", "0.1.0-rc.1", "prod-68f7180-20260821151134", "54791485"),
    ],
)
def test_what_stays_what_it_is(value: str) -> None:
    assert is_settled(value)


@pytest.mark.parametrize(
    "value", ["latest", "main", "HEAD", ">=1.0", "^1.2", "~1", "1.x", "1.*", "*"]
)
def test_a_name_that_moves_is_not_settled(value: str) -> None:
    assert not is_settled(value)


@pytest.mark.parametrize(
    ("path", "text", "place"),
    [
        ("v.yaml", "image: {tag: 1.0}", Place("image.tag")),
        ("v.yaml", "api: {image: {tag: '1.0'}}", Place("api.image.tag")),
        ("v.yaml", "imageTag: 1.0", Place("imageTag")),
        ("v.json", '{"image_tag": "v1"}', Place("image_tag")),
        ("v.yaml", "service: {chartTag: api-v1.0.0}", Place("service.chartTag")),
        ("v.yaml", "image: acme/api:1.0", Place("image", is_image=True)),
        ("v.yaml", "images: {api: 'acme/api:1.0'}", Place("images.api", is_image=True)),
        ("v.yaml", f"image: acme/api@sha256:{'0' * 64}", Place("image", is_image=True)),
        (
            "kustomization.yaml",
            "images: [{name: a/b, newTag: 1.0}]",
            Place("images[name=a/b].newTag"),
        ),
        (
            "kustomization.yml",
            f"images: [{{name: a/b, digest: 'sha256:{'0' * 64}'}}]",
            Place("images[name=a/b].digest"),
        ),
        (
            "Chart.yaml",
            "version: 0.1.0\ndependencies: [{name: api, version: 1.0.0}]",
            Place("dependencies[name=api].version"),
        ),
        (
            "d.yaml",
            "kind: Rollout\napiVersion: argoproj.io/v1alpha1\n"
            "spec: {template: {spec: {containers: [{name: api, image: 'a:1'}]}}}",
            Place("spec.template.spec.containers[name=api].image", is_image=True),
        ),
        (
            "d.yaml",
            "kind: CronJob\napiVersion: batch/v1\nspec: {jobTemplate: {spec: {template: "
            "{spec: {containers: [{name: api, image: 'a:1'}]}}}}}",
            Place("spec.jobTemplate.spec.template.spec.containers[name=api].image", is_image=True),
        ),
        (
            "a.yaml",
            "kind: Application\napiVersion: argoproj.io/v1alpha1\n"
            "spec: {sources: [{targetRevision: 1.2.0}]}",
            Place("spec.sources[0].targetRevision"),
        ),
        (
            "r.yaml",
            "kind: HelmRelease\napiVersion: helm.toolkit.fluxcd.io/v2\n"
            "spec: {chart: {spec: {version: 1.2.0}}}",
            Place("spec.chart.spec.version"),
        ),
        ("versions/dev.yaml", "web-app: v1.2.3\napi: 4be19f2\n", Place("web-app")),
        ("dev/image-tags.json", '{"api": "1.2.3"}', Place("api")),
        (
            "a.yaml",
            "kind: Application\napiVersion: argoproj.io/v1alpha1\nspec: {source: {chart: a, helm: "
            "{parameters: [{name: replicas, value: '2'}, {name: image.tag, value: '1.2'}]}}}",
            Place("spec.source.helm.parameters[name=image.tag].value"),
        ),
        (
            "a.yaml",
            "kind: Application\napiVersion: argoproj.io/v1alpha1\n"
            "spec: {source: {path: a, kustomize: {images: ['r.io/a:1.2']}}}",
            Place("spec.source.kustomize.images[0]", is_image=True),
        ),
        ("v.yaml", "API_DOCKER_TAG: f3d0498\n", Place("API_DOCKER_TAG")),
        ("v.yaml", "data: { VERSION: v1.2.3 }\n", Place("data.VERSION")),
    ],
)
def test_a_version_is_found_where_it_usually_stands(path: str, text: str, place: Place) -> None:
    found = read(path, text)
    assert found is not None
    best = min(found.found, key=lambda each: each.rank.value)
    assert (best.place, best.settled) == (place, True)


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Secret\ndata: {version: '1.0'}",
        "kind: Deployment\napiVersion: apps/v1\nmetadata: {labels: {version: '1.0'}}",
        "image: [1, 2]",
        "image: nothing that is one 1.0",
        "kubeVersion: 1.20.0",
        '"image.tag": 1.0',
        "token: ENC[x]\nsops: { version: 3.9.4, kms: [{ version: 1.0 }] }",
        "",
    ],
)
def test_what_is_no_version(text: str) -> None:
    found = read("v.yaml", text)
    assert found is not None
    assert found.found == ()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("dev.yaml", "api: 1.2.3\n"),
        ("versions.yaml", "api: 1.2.3\nreplicas: 3\n"),
        ("versions.yaml", "api: { min: 1.2.3 }\n"),
        ("versions.yaml", "api: latest\n"),
    ],
)
def test_what_is_no_list_of_versions(path: str, text: str) -> None:
    """Only a file that is called so and says nothing else."""
    found = read(path, text)
    assert found is not None
    assert found.found == ()


def family_files(*paths: str, text: str = "image: { tag: v1.2.3 }\n") -> list[str]:
    found = recognise(paths, lambda some: dict.fromkeys(some, text), Names())
    return sorted(each.files for each in found.families)


def test_regions_are_services_only_where_nothing_else_is() -> None:
    clusters = ("staging/eu-west-1", "staging/us-east-1", "prod/eu-west-1", "prod/us-east-1")
    paths = [f"c/{each}/{service}/values.yaml" for each in clusters for service in ("api", "web")]
    assert family_files(*paths) == [
        "c/{environment}/eu-west-1/{service}/values.yaml",
        "c/{environment}/us-east-1/{service}/values.yaml",
    ]
    alone = [f"c/{each}/values.yaml" for each in clusters]
    assert family_files(*alone) == ["c/{environment}/{service}/values.yaml"]


def test_services_of_one_file_are_called_by_what_differs() -> None:
    text = "releases: { api: { version: 1.2.3 }, web: { version: 1.2.3 } }\n"
    paths = ("e/staging.yaml", "e/prod.yaml")
    (family,) = recognise(paths, lambda some: dict.fromkeys(some, text), Names()).families
    assert [each.service for each in family.members] == ["api", "web"]
    assert [each.path for each in family.rules] == ["releases.{service}.version"]


def test_several_documents_are_told_apart_by_kind_and_name() -> None:
    one = "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: %s}\nspec: {template: {spec: "
    one += "{containers: [{name: c, image: 'a:1'}]}}}\n"
    found = read("d.yaml", f"{one % 'a'}---\n{one % 'b'}---\n{one % 'b'}")
    assert found is not None
    assert [each.place.document for each in found.found] == ["kind=Deployment,metadata.name=a"]


# Whatever is found, its proposal can be used

_WORD = st.sampled_from(
    ["dev", "test", "staging", "prod", "prod-eu", "api", "web", "values", "apps", "Chart", "on"]
) | st.text(min_size=1, max_size=8).filter(
    lambda text: "/" not in text and "\0" not in text and text not in (".", "..")
)
_PATH = st.lists(_WORD, min_size=1, max_size=4).map("/".join)
_TEXT = st.sampled_from(
    [
        "image: {tag: %s}\n",
        "image: a/b:%s\n",
        "a: {image: {tag: %s}}\nb: {image: {tag: %s}}\n",
        "version: %s\n",
        "kind: Kustomization\nimages: [{name: x, newTag: '%s'}, {name: y, newTag: '%s'}]\n",
        "kind: Deployment\napiVersion: v1\nmetadata: {name: d}\n"
        "spec: {template: {spec: {containers: [{name: c, image: 'a:%s'}]}}}\n",
        "{{ .Values.x }}",
    ]
)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, str]:
    """Files, most of them beside another that differs in an environment's name."""
    files: dict[str, str] = {}
    for _ in range(draw(st.integers(1, 6))):
        pattern = draw(_PATH) + draw(st.sampled_from([".yaml", ".json", "", "/kustomization.yaml"]))
        text = draw(_TEXT)
        for name in draw(st.sets(st.sampled_from(["dev", "staging", "prod", "prod-eu"]))):
            version = draw(st.sampled_from(["1.0.0", "2.0", "latest", "abc1234"]))
            where = draw(st.sampled_from(["{}/{}", "{1}-{0}", "{0}/{1}"]))
            files[where.format(name, pattern)] = text.replace("%s", version)
    return files


@settings(max_examples=200)
@given(trees(), st.text(max_size=20))
def test_what_is_proposed_always_loads(files: dict[str, str], repository: str) -> None:
    findings = found_in(files)
    proposal = propose(findings, repository)
    event("proposed" if proposal.written else "not recognised")
    if not proposal.written:
        return
    text = config_text(proposal, findings, "0" * 40)
    config = load_config(text, presets())
    assert [*config.pipelines] == [each.name for each in proposal.written]
    for name, pipeline in config.pipelines.items():
        assert pipeline.mode is Mode.OBSERVE, name
        assert pipeline.targets, name


def found_in(files: Mapping[str, str]) -> Findings:
    def reader(paths: Sequence[str]) -> Mapping[str, str | None]:
        return {path: files[path] for path in paths}

    return recognise([*files], reader, Names())


def test_many_shapes_cost_no_more_than_many_files() -> None:
    """2,000 groups of files, no two of one shape: a second or two, not the square of it."""
    files = {
        f"a{number}/b{number}/{name}/values.yaml": f"image: {{tag: {version}}}\n"
        for number in range(2_000)
        for name, version in (("dev", "1.1"), ("prod", "1.0"))
    }
    before = time.process_time()
    findings = found_in(files)
    assert len(findings.families) == 2_000
    assert time.process_time() - before < 20
