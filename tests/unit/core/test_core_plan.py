"""Two trees in, byte-exact changes out; what cannot be done is a problem and never half a plan."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.change import Difference, Place, Write
from pilotage.core.config.load import load_config
from pilotage.core.layout import Copied, Layout, layout_of
from pilotage.core.places import FileText, hold
from pilotage.core.plan import Plan, Tree, plan, versions
from tests.unit.core.worlds import (
    BASE,
    PRODUCTION,
    SOURCE,
    STAGING,
    file_path,
    policy,
    tree,
)

PIPELINE = policy().pipeline
FILE = file_path("production", "api")
ODD = """\
# api: owned by the platform team   \n\
serviceName:    "api"\r
envName:   'production'      # do not touch\r

service: {enabled: true , chartTag : "api-v9.0.4" ,  replicas: 2 }   # inline
extra:
    - one
    -   two   \n\
"""


def planned(ours: str, theirs: str | None = None) -> Plan:
    """Production's file is `ours`; staging's is SYRF's usual one, or `theirs`."""
    target = Tree("production", BASE, {FILE: FileText(FILE, ours)})
    source = tree("staging", {"api": "api-v9.1.1"}, SOURCE)
    if theirs is not None:
        path = file_path("staging", "api")
        source = replace(source, files={path: FileText(path, theirs)})
    return plan(PIPELINE, source, target)


@pytest.mark.runbook("SYRF-2")
def test_every_service_that_differs_takes_stagings_version() -> None:
    found = plan(PIPELINE, tree("staging", STAGING, SOURCE), tree("production", PRODUCTION))
    assert {name: each.change.after for name, each in found.services.items()} == STAGING
    assert (found.source, found.running, found.problems) == (SOURCE, BASE, {})


@pytest.mark.runbook("SYRF-3")
def test_every_other_byte_stays() -> None:
    """Comments, quotes, odd spacing, line ends: only the value changes."""
    found = planned(ODD).services["api"]
    assert found.files == {FILE: ODD.replace("api-v9.0.4", "api-v9.1.1")}


@pytest.mark.runbook("SYRF-3")
def test_env_name_is_set_where_a_copied_file_still_names_staging() -> None:
    ours = ODD.replace("'production'", "'staging'")
    found = planned(ours).services["api"]
    assert found.files == {FILE: ODD.replace("api-v9.0.4", "api-v9.1.1")}
    assert found.change.copied == (
        Write(FILE, "service.chartTag", "api-v9.0.4", "api-v9.1.1"),
        Write(FILE, "envName", "staging", "production"),
    )


@pytest.mark.runbook("SYRF-3")
def test_other_keys_that_differ_are_listed_and_stay() -> None:
    theirs = "serviceName: api\nenvName: staging\nservice: {enabled: true, chartTag: api-v9.1.1}\n"
    theirs += "replicas: 5\n"
    ours = theirs.replace("9.1.1", "9.0.4").replace("replicas: 5", "replicas: 2\nonly: here")
    found = planned(ours, theirs).services["api"]
    assert "replicas: 2" in found.files[FILE]
    assert set(found.change.differences) == {
        Difference(FILE, "replicas", "5", "2"),
        Difference(FILE, "only", None, "here"),
    }


def test_env_name_alone_is_no_promotion() -> None:
    """Nothing was released in staging: a wrong name is not this service's to mend."""
    ours = ODD.replace("9.0.4", "9.1.1").replace("'production'", "'staging'")
    found = planned(ours)
    assert found.services == {}
    assert found.unchanged == {"api": "api-v9.1.1"}


def test_a_service_on_one_side_only_is_told() -> None:
    found = plan(
        PIPELINE,
        tree("staging", {"api": "api-v1.0.0", "new": "new-v1.0.0"}),
        tree("production", {"api": "api-v1.0.0", "old": "old-v1.0.0"}),
    )
    assert (found.only_in_source, found.only_in_target) == (("new",), ("old",))
    assert found.services == {}


@pytest.mark.parametrize(
    ("ours", "line", "where", "expected"),
    [
        (
            "service:\n  enabled: true\nenvName: production\n",
            2,
            "service.chartTag",
            "only service is",
        ),
        ("service: [\n", 2, "", ""),
        ("", None, "service.chartTag", "the text is empty"),
        ("envName: production\nservice:\n  chartTag: {a: b}\n", 3, "service.chartTag", ""),
        ("envName: &a production\nservice: {chartTag: *a}\n", 2, "service.chartTag", ""),
        (
            "envName: production\nservice:\n  chartTag: a\n  chartTag: b\n",
            4,
            "service.chartTag",
            "",
        ),
        ("envName: production\nservice:\n  chartTag: |\n    api-v1\n", 3, "service.chartTag", ""),
    ],
)
def test_a_refused_edit_is_a_problem_with_its_place_and_no_half_plan(
    ours: str, line: int | None, where: str, expected: str
) -> None:
    found = planned(ours)
    assert (found.services, found.unchanged) == ({}, {})
    problem = found.problems["api"]
    assert (problem.file, problem.where) == (FILE, where)
    assert problem.line == line
    assert expected in problem.expected
    assert problem.expected


def test_one_problem_does_not_keep_the_other_services_from_being_planned() -> None:
    target = tree("production", PRODUCTION)
    broken = FileText(FILE, "", refused="larger than 1 MB")
    target = replace(target, files={**target.files, FILE: broken})
    found = plan(PIPELINE, tree("staging", STAGING, SOURCE), target)
    assert list(found.services) == ["web"]
    assert found.problems["api"].expected == "larger than 1 MB"


def test_the_version_of_each_service_that_can_be_read() -> None:
    given_ = tree("production", PRODUCTION)
    broken = {**given_.files, FILE: FileText(FILE, "[")}
    assert versions(PIPELINE, given_) == PRODUCTION
    assert versions(PIPELINE, replace(given_, files=broken)) == {"web": "web-v5.0.0"}


def test_holds_asks_for_every_promoted_value() -> None:
    found = planned(ODD).services["api"]
    writes = found.change.writes
    assert hold(writes, {FILE: found.files[FILE]})
    assert not hold(writes, {FILE: ODD})
    assert not hold(writes, {FILE: found.files[FILE].replace("'production'", "'staging'")})
    assert not hold(writes, {FILE: None})
    assert not hold(writes, {})
    assert not hold(writes, {FILE: "["})
    assert hold((), {})


@pytest.mark.parametrize(
    ("files", "path", "service"),
    [
        ("{environment}/{service}/config.yaml", "production/api/config.yaml", "api"),
        ("{environment}/{service}/config.yaml", "staging/api/config.yaml", None),
        ("{environment}/{service}/config.yaml", "production/a/b/config.yaml", None),
        ("{environment}/{service}/config.yaml", "production/.git/config.yaml", None),
        ("{environment}/{service}/config.yaml", "production/../config.yaml", None),
        ("{environment}/{service}.yaml", "production/api.v2.yaml", "api.v2"),
        ("{environment}/{service}/{service}.yaml", "production/api/api.yaml", "api"),
        ("{environment}/{service}/{service}.yaml", "production/api/web.yaml", None),
        ("a+b/{environment}/{service}.yaml", "aab/production/api.yaml", None),
    ],
)
def test_which_paths_are_files_of_which_service(files: str, path: str, service: str | None) -> None:
    place = Place(files.replace("{environment}", "production"), "tag")
    layout = Layout("production", place.file, (Copied(place),))
    assert layout.services([path]) == ((service,) if service is not None else ())
    assert layout.has(path) is (service is not None)
    assert layout.misnamed(path) is None or service is None
    if service is not None:
        assert layout.files_of(service) == (path,)
        assert path.startswith(layout.prefixes)


@pytest.mark.parametrize(
    ("files", "path", "name"),
    [
        ("{environment}/{service}/config.yaml", "production/my app/config.yaml", "my app"),
        ("{environment}/{service}/config.yaml", "production/caf\u00e9/config.yaml", "caf\u00e9"),
        ("{environment}/{service}/config.yaml", "production/.base/config.yaml", ".base"),
        ("{environment}/{service}/config.yaml", "production/_base/config.yaml", "_base"),
        ("{environment}/{service}/config.yaml", "staging/my app/config.yaml", None),
        ("{environment}/{service}/config.yaml", "production/a/b/config.yaml", None),
        ("{environment}/{service}/config.yaml", "production/api/config.yaml", None),
        ("{environment}/{service}.yaml", "production/c++.yaml", "c++"),
        ("{environment}/{service}/{service}.yaml", "production/.a/.b.yaml", None),
    ],
)
def test_what_is_no_service_because_of_its_name(files: str, path: str, name: str | None) -> None:
    """A name stands in commands, branches and pages, so it is one word that needs no quotes."""
    place = Place(files.replace("{environment}", "production"), "tag")
    layout = Layout("production", place.file, (Copied(place),))
    assert layout.misnamed(path) == name
    assert layout.services([path]) == () or name is None
    assert layout.has(path) is (path == "production/api/config.yaml")


AMBIGUOUS = """version: 1
pipelines:
  shop:
    files: {0}
    promote: [{{ copy: tag }}, {{ copy: other, in: "{1}" }}]
    environments: {{ pre-staging: {{}}, staging: {{ from: pre-staging }} }}
"""
OWN = """version: 1
pipelines:
  shop:
    files: k/{service}.yaml
    promote: [{ copy: tag }]
    environments:
      staging: { files: "k/{service}-staging.yaml" }
      production: { from: staging, files: "k/{service}.yaml" }
"""


@pytest.mark.parametrize(
    ("config", "paths", "services"),
    [
        (
            AMBIGUOUS.format("k/{service}-{environment}/v.yaml", "o/{service}-{environment}.yaml"),
            ["k/api-staging/v.yaml", "k/api-pre-staging/v.yaml", "k/web-pre-staging/v.yaml"],
            {"pre-staging": ("api", "web"), "staging": ("api",)},
        ),
        (
            AMBIGUOUS.replace("pre-staging", "staging-eu").format(
                "k/{environment}-{service}.yaml", "o/{environment}-{service}.yaml"
            ),
            ["k/staging-api.yaml", "k/staging-eu-api.yaml", "k/staging-euro.yaml"],
            {"staging-eu": ("api",), "staging": ("api", "euro")},
        ),
        (
            OWN,
            ["k/api.yaml", "k/api-staging.yaml", "k/stagingapi.yaml"],
            {"staging": ("api",), "production": ("api", "stagingapi")},
        ),
    ],
)
def test_a_file_is_one_environments_alone(
    config: str, paths: list[str], services: dict[str, tuple[str, ...]]
) -> None:
    """Where a path can be read in two ways, what is longest of it is the environment's."""
    pipeline = load_config(config, {}).pipelines["shop"]
    layouts = {name: layout_of(pipeline, name) for name in services}
    assert {name: found.services(paths) for name, found in layouts.items()} == services
    for path in paths:
        assert [name for name, found in layouts.items() if found.has(path)] == [
            name
            for name, each in services.items()
            if any(path in layouts[name].files_of(service) for service in each)
        ], path


def test_other_files_of_a_service_are_one_environments_alone_too() -> None:
    files = "k/{service}-{environment}/v.yaml", "o/{service}-{environment}.yaml"
    pipeline = load_config(AMBIGUOUS.format(*files), {}).pipelines["shop"]
    assert not layout_of(pipeline, "staging").has("o/api-pre-staging.yaml")
    assert layout_of(pipeline, "pre-staging").has("o/api-pre-staging.yaml")
    assert layout_of(pipeline, "staging").has("o/api-staging.yaml")


def test_a_file_that_all_environments_share_is_each_ones() -> None:
    config = AMBIGUOUS.format("k/{service}-{environment}/v.yaml", "charts/{service}.yaml")
    pipeline = load_config(config, {}).pipelines["shop"]
    assert all(layout_of(pipeline, each).has("charts/api.yaml") for each in pipeline.environments)


safe = st.from_regex(r"[A-Za-z][A-Za-z0-9._-]{0,12}", fullmatch=True)


@given(
    old=safe, new=safe, comment=st.text(alphabet="abc #:'\"é", max_size=10), pad=st.integers(0, 4)
)
def test_only_the_value_changes_whatever_stands_around_it(
    old: str, new: str, comment: str, pad: int
) -> None:
    gap = " " * (pad + 1)
    template = f"envName:{gap}production{gap}# {comment}\nservice:\n{gap}chartTag:{gap}'%s'{gap}\n"
    found = planned(template % old, template.replace("production", "staging") % new)
    if old == new:
        assert found.unchanged == {"api": new}
    else:
        assert found.services["api"].files[FILE] == template % new
