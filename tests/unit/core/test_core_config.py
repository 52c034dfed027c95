"""`.pilotage.yaml`: every mistake says file, line, what was expected and the nearest thing."""

from __future__ import annotations

import json
from datetime import timedelta

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core.config.load import ConfigError, load_config
from pilotage.core.config.policy import (
    Config,
    Mode,
    OnFailure,
    Together,
    policy_for,
)
from pilotage.core.config.rules import CopyValue, SetValue
from pilotage.core.config.schema import schema_text
from pilotage.core.config.values import duration, duration_text
from pilotage.resources import policy_folder, presets, template_folder

GOOD = """\
version: 1
pipelines:
  syrf:
    preset: cluster-gitops
    files: syrf/environments/{environment}/{service}/config.yaml
    environments:
      staging:
      production:
        from: staging
"""
FULL = """\
version: 1
pipelines:
  syrf:
    mode: observe
    files: "{environment}/{service}.yaml"
    promote:
      - copy: service.chartTag
      - set: envName
        to: "{environment}"
    together: proven
    services:
      api:
        repository: acme/syrf
        tag: "api-v{version}"
        image: "ghcr.io/a:{version}"
    environments:
      staging: { applications: ["{service}-staging", "{service}-jobs"] }
      production:
        from: staging
        branch: promotions/{environment}-{run}
        labels: urgent
        reviewers: { teams: sre }
        gates: { soak: 1h30m, approvers: { teams: [admins], users: [li], count: 2 } }
        verification:
          for: 45s
          checks: [{ http: "https://api.example/health", expect: { status: 204 }, every: 10s }]
        on_failure: revert-pull-request
        budgets: { degraded: 90s, refresh: [0s, 15s] }
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(text, presets())
    return [str(problem) for problem in caught.value.problems]


def in_production(line: str) -> str:
    return GOOD + f"        {line}\n"


def in_pipeline(lines: str) -> str:
    return GOOD.replace("    files:", f"{lines}\n    files:")


MISTAKES = {
    GOOD.replace("preset:", "presets:"): [
        ".pilotage.yaml:3: pipelines.syrf: `promote` is required here",
        ".pilotage.yaml:4: pipelines.syrf.presets: unknown key; known here: environments, files, "
        "mode, new_services, preset, promote, removed_services, services, together, versions (did "
        "you mean `preset`?)",
    ],
    GOOD.replace("cluster-gitops", "cluster-gitop"): [
        ".pilotage.yaml:4: pipelines.syrf.preset: there is no preset cluster-gitop; there are "
        "chart-values, cluster-gitops, helm-values, kustomize, manifests (did you mean "
        "`cluster-gitops`?)"
    ],
    GOOD.replace("version: 1", "version: 2"): [".pilotage.yaml:1: version: expected 1, found 2"],
    GOOD.replace("version: 1\n", ""): [".pilotage.yaml:1: `version` is required here"],
    in_pipeline("    mode: observer"): [
        ".pilotage.yaml:5: pipelines.syrf.mode: expected observe or propose, found 'observer' "
        "(did you mean `observe`?)"
    ],
    in_pipeline("    versions: { scheme: semvar }"): [
        ".pilotage.yaml:5: pipelines.syrf.versions.scheme: expected any or semver or calver or "
        "digest or commit, found 'semvar' (did you mean `semver`?)"
    ],
    in_production("gates: { soak: 15 }"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.gates.soak: expected a "
        "duration such as 30s, 15m, 2h or 1h30m, found 15"
    ],
    in_production('gates: { approvers: { users: [li, "@maria"], teams: Acme/Admins } }'): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.gates.approvers.teams: "
        "expected a team's slug such as platform-admins, found 'Acme/Admins' (did you mean "
        "`admins`?)",
        ".pilotage.yaml:10: pipelines.syrf.environments.production.gates.approvers.users[1]: "
        "expected a login such as maria, found '@maria' (did you mean `maria`?)",
    ],
    in_production('labels: [hot, ""]'): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.labels[1]: expected a label of "
        "1 to 50 characters, found ''",
    ],
    in_production("gates:\n          soak: 15 minutes"): [
        ".pilotage.yaml:11: pipelines.syrf.environments.production.gates.soak: expected a "
        "duration such as 30s, 15m, 2h or 1h30m, found '15 minutes'"
    ],
    in_pipeline("    promote:\n      - copy: a\n      - sett: b\n        to: c"): [
        ".pilotage.yaml:7: pipelines.syrf.promote[1]: expected `copy: PATH`, `image: PATH`, "
        "`copy: file`, or `set: PATH` with `to: VALUE`, found `sett` and `to` (did you mean `set`?)"
    ],
    in_pipeline("    promote: [image.tag]"): [
        ".pilotage.yaml:5: pipelines.syrf.promote[0]: expected `copy: PATH`, `image: PATH`, "
        "`copy: file`, or `set: PATH` with `to: VALUE`, found 'image.tag' (did you mean "
        "`copy: image.tag`?)"
    ],
    in_pipeline("    promote:\n      - copy: image..tag\n      - set: 'a[x=]'\n        to: b"): [
        ".pilotage.yaml:6: pipelines.syrf.promote[0].copy: the path cannot be read from '..tag' "
        "on: write a.b[0].c, a[name=value].b, or a[\"a key with dots\"], found 'image..tag'",
        ".pilotage.yaml:7: pipelines.syrf.promote[1].set: the path cannot be read from '[x=]' "
        "on: write a.b[0].c, a[name=value].b, or a[\"a key with dots\"], found 'a[x=]'",
    ],
    in_pipeline("    promote: [{ image: a, document: Deployment }]"): [
        ".pilotage.yaml:5: pipelines.syrf.promote[0].document: a document is selected by "
        "name=value,name=value, not by 'Deployment'"
    ],
    in_production("applications: []"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.applications: expected at "
        "least 1 entry, found 0"
    ],
    in_production("applications: ['{svc}-x']"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.applications[0]: nothing fills "
        "{svc} here; there are {service}, {environment} (did you mean `{service}`?)"
    ],
    in_production("applications: '{svc}-x'"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.applications: nothing fills "
        "{svc} here; there are {service}, {environment} (did you mean `{service}`?)"
    ],
    in_pipeline("    promote:\n      - copy: a\n      - set: b"): [
        ".pilotage.yaml:7: pipelines.syrf.promote[1]: `to` is required here"
    ],
    in_pipeline("    promote: []"): [
        ".pilotage.yaml:5: pipelines.syrf.promote: expected at least one `copy:` or `image:`; "
        "the first is the version"
    ],
    in_pipeline("    promote:\n      - { set: a, to: b }"): [
        ".pilotage.yaml:5: pipelines.syrf.promote: expected at least one `copy:` or `image:`; "
        "the first is the version"
    ],
    in_pipeline("    promote:\n      - copy: file\n      - copy: file"): [
        ".pilotage.yaml:7: pipelines.syrf.promote[1]: the whole file is written twice"
    ],
    in_pipeline("    promote:\n      - { copy: a, in: ../b.yaml }"): [
        ".pilotage.yaml:6: pipelines.syrf.promote[0].in: must be a path inside the repository, "
        "found '../b.yaml'"
    ],
    in_pipeline("    services: { api: { promote: [{ set: a, to: b }] } }"): [
        ".pilotage.yaml:5: pipelines.syrf.services.api.promote: expected at least one `copy:` or "
        "`image:`; the first is the version"
    ],
    in_pipeline("    promote:\n      - copy: a\n      - { set: a, to: b }"): [
        ".pilotage.yaml:7: pipelines.syrf.promote[1]: a is written twice"
    ],
    in_pipeline("    promote:\n      - copy: a\n      - { set: b, to: '{enviroment}' }"): [
        ".pilotage.yaml:7: pipelines.syrf.promote[1].to: nothing fills {enviroment} here; there "
        "are {environment}, {service} (did you mean `{environment}`?)"
    ],
    GOOD.replace("{environment}", "x"): [
        ".pilotage.yaml:5: pipelines.syrf.files: must contain {environment}, such as "
        "environments/{environment}/{service}.yaml, unless every environment has `files` of its "
        "own; staging has none"
    ],
    in_production("files: live/config.yaml"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.files: `files` of the pipeline "
        "names {service}, and this one must do the same"
    ],
    GOOD.replace("files: syrf", "files: ../syrf"): [
        ".pilotage.yaml:5: pipelines.syrf.files: must be a path inside the repository, found "
        "'../syrf/environments/{environment}/{service}/config.yaml'"
    ],
    GOOD.replace("from: staging", "from: stagin"): [
        ".pilotage.yaml:9: pipelines.syrf.environments.production.from: there is no environment "
        "stagin; there are staging, production (did you mean `staging`?)"
    ],
    GOOD.replace("from: staging", "from: production"): [
        ".pilotage.yaml:9: pipelines.syrf.environments.production.from: production would be "
        "promoted from itself"
    ],
    GOOD.replace("staging:\n", "staging: { from: production }\n"): [
        ".pilotage.yaml:7: pipelines.syrf.environments.staging.from: staging would be promoted "
        "from itself: staging -> production -> staging"
    ],
    GOOD.replace("        from: staging\n", "        labels: []\n"): [
        ".pilotage.yaml:6: pipelines.syrf.environments: no environment has `from:`, so nothing "
        "is promoted"
    ],
    in_production("checklist: [{ item: A B, text: x }]"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.checklist[0].item: expected a "
        "name of lower-case letters, digits and single hyphens, found 'A B'"
    ],
    in_production("checklist: [{ item: a, text: x }, { item: a, text: y }]"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.checklist[1].item: there is a "
        "box a already; names must differ"
    ],
    in_production("checklist: [{ item: soak, text: x }]"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.checklist[0].item: the service "
        "ticks soak itself; choose another name"
    ],
    in_production("merge: auto"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.merge: expected manual, found "
        "'auto'"
    ],
    in_production("branch: promotion"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.branch: must contain {run}, so "
        "that no two promotions share a branch, found 'promotion'"
    ],
    in_production("branch: a..b-{run}"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.branch: is no branch name: "
        "letters, digits and . _ - / such as promotion-{run}, found 'a..b-{run}'"
    ],
    in_production("branch: 2026-01-01"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.branch: expected text, found a "
        "date (2026-01-01; quotes make it text)"
    ],
    in_production("verification: { checks: [{ http: ftp://x }] }"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.verification.checks[0].http: "
        "expected an address such as https://example.org/health, found 'ftp://x'"
    ],
    in_production("verification: { checks: [{ http: http://x }, { http: http://x/ }] }"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.verification.checks[1].http: "
        "http://x/ is checked already"
    ],
    in_production("gates: { approvers: { team: [a] } }"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.gates.approvers.team: unknown "
        "key; known here: count, teams, users (did you mean `teams`?)"
    ],
    in_production("gates: { approvers: { count: many } }"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.gates.approvers.count: "
        "expected a whole number, found 'many'"
    ],
    in_production("gates: { approvers: { count: 0 } }"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.gates.approvers.count: "
        "expected greater than or equal to 1, found 0"
    ],
    in_production("gates: { artifacts: { kubernetes: 1.30 } }"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.gates.artifacts.kubernetes: "
        'expected a version in quotes, such as "1.31": 1.30 is the number 1.3, found 1.3'
    ],
    in_production("gates: { artifacts: { kubernetes: latest } }"): [
        ".pilotage.yaml:10: pipelines.syrf.environments.production.gates.artifacts.kubernetes: "
        "expected a version of Kubernetes such as \"1.31\", found 'latest'"
    ],
    GOOD.replace("  syrf:", "  'sy rf':"): [
        ".pilotage.yaml:3: pipelines.sy rf: expected a name of letters, digits and single . _ -, "
        "found 'sy rf'"
    ],
    GOOD.replace("      staging:\n", "      staging: []\n"): [
        ".pilotage.yaml:7: pipelines.syrf.environments.staging: expected a mapping, found a list"
    ],
    GOOD.replace("      staging:\n", ""): [
        ".pilotage.yaml:6: pipelines.syrf.environments: expected at least 2 entries, found 1"
    ],
    "version: 1\npipelines:\n": [".pilotage.yaml:2: pipelines: expected a mapping, found nothing"],
    "version: 1\npipelines: {}\n": [
        ".pilotage.yaml:2: pipelines: expected at least 1 entry, found 0"
    ],
    "version: 1\na:\n  - " + "[" * 60: [".pilotage.yaml:3: nested more than 50 levels deep"],
    "": [".pilotage.yaml:1: expected a mapping with `version: 1`"],
    "- version: 1\n": [".pilotage.yaml:1: expected a mapping with `version: 1`"],
    "version: 1\n\tx: 2\n": [
        ".pilotage.yaml:2: not valid YAML: while scanning for the next token, found character "
        "'\\t' that cannot start any token"
    ],
    GOOD + "---\nversion: 1\n": [
        ".pilotage.yaml:10: not valid YAML: expected a single document in the stream, but found "
        "another document"
    ],
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.items())
def test_a_mistake_says_where_it_is_and_what_was_expected(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


def test_a_key_that_stands_twice_is_refused() -> None:
    (problem,) = problems(in_production("from: staging"))
    assert problem.startswith(".pilotage.yaml:10: not valid YAML: while constructing a mapping,")
    assert problem.endswith('found duplicate key "from"'), "the values are not shown"


def test_all_mistakes_are_told_at_once_in_the_order_of_lines() -> None:
    text = in_production("mrege: manual").replace("    preset:", "    mode: x\n    preset:")
    assert [problem.split(": ")[0] for problem in problems(text)] == [
        ".pilotage.yaml:4",
        ".pilotage.yaml:11",
    ]


def nested(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        ten = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} [{ten}]")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        nested(9),
        "version: 1\npipelines: &p { a: *p }\n",
        "pipelines: &p [*p]\n",
        "[" * 3_000,
        "a: " * 100_000,
        "version: !!python/object/apply:os.system ['true']\npipelines: {}\n",
        "version: !new 1\npipelines: {}\n",
        "? [a, b]\n: 1\n",
        "? {a: b}\n: 1\n",
        "\x00",
        "a: \x07",
        "%YAML 9.9\n---\na: 1\n",
        "&a",
        "*a",
        "<<: 1\n",
        "1: 2\ntrue: 3\nnull: 4\n",
        "version: 1\npipelines: { a: { environments: { b: 1, c: { from: [] } }, preset: {} } }\n",
        "version: 1\npipelines: { a: { environments: [1], preset: cluster-gitops } }\n",
    ],
)
def test_hostile_text_is_refused_in_words(text: str) -> None:
    assert all(problem.startswith(".pilotage.yaml") for problem in problems(text))


def told(text: str) -> bool:
    """Read, or refused with an expectation for each mistake."""
    try:
        load_config(text, presets())
    except ConfigError as error:
        return bool(error.problems) and all(problem.expected for problem in error.problems)
    return True


@given(st.text(alphabet="ab:{}[]-&*!|>'\"\n \t<?%#1,", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert told("version: 1\n" + text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["pipelines", "a", "environments", "from", "preset", "promote", "copy", "gates"]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=12,
    )
)
def test_any_document_is_read_or_refused(document: object) -> None:
    assert told(yaml.safe_dump({"version": 1, "pipelines": document}))


# presets ------------------------------------------------------------------------------------


@pytest.mark.runbook("SYRF-3")
@pytest.mark.runbook("SYRF-7")
@pytest.mark.runbook("SYRF-17")
def test_the_preset_gives_everything_but_the_paths() -> None:
    pipeline = load_config(GOOD, presets()).pipelines["syrf"]
    target = pipeline.environments["production"]
    assert pipeline.promote == (
        CopyValue(copy="service.chartTag"),
        SetValue(set="envName", to="{environment}"),
    )
    assert pipeline.together is Together.ALL
    assert target.gates.soak == timedelta(minutes=15)
    assert target.verification.for_ == timedelta(minutes=30)
    assert target.labels == ("requires-review",)
    assert [item.item for item in target.checklist] == [
        "logs",
        "health-endpoint",
        "smoke-tests",
        "performance",
        "feature",
        "migrations",
    ]


def test_what_a_team_writes_wins_key_by_key() -> None:
    text = in_production("gates: { approvers: { teams: admins } }\n        labels: [mine]")
    target = load_config(text, presets()).pipelines["syrf"].environments["production"]
    assert target.gates.soak == timedelta(minutes=15), "the preset's, beside the team's approvers"
    assert target.gates.approvers is not None
    assert target.gates.approvers.teams == ("admins",)
    assert target.labels == ("mine",), "lists are replaced"


def test_a_preset_does_not_touch_the_source() -> None:
    staging = load_config(GOOD, presets()).pipelines["syrf"].environments["staging"]
    assert staging.checklist == ()


def test_a_mistake_in_what_the_preset_fills_in_is_told_at_the_teams_line() -> None:
    broken = {"mine": "pipeline: { promote: [{ copy: 1 }] }\nenvironment: {}\n"}
    with pytest.raises(ConfigError) as caught:
        load_config(GOOD.replace("cluster-gitops", "mine"), broken)
    assert str(caught.value).startswith(".pilotage.yaml:3: pipelines.syrf: expected text, found 1")


def test_every_section_of_the_file_is_read() -> None:
    pipeline = load_config(FULL, {}).pipelines["syrf"]
    target = pipeline.environments["production"]
    assert (pipeline.mode, pipeline.together) == (Mode.OBSERVE, Together.PROVEN)
    assert target.on_failure is OnFailure.REVERT_PULL_REQUEST
    assert target.reviewers.teams == ("sre",)
    assert target.budgets.budgets.degraded == timedelta(seconds=90)
    assert target.budgets.budgets.refresh == (timedelta(), timedelta(seconds=15))
    assert hash(target.verification.checks[0])


def test_a_policy_is_one_targets_part() -> None:
    config = load_config(FULL, {})
    found = policy_for(config, "syrf", "production", "c" * 40)
    assert found is not None
    assert (found.source_name, found.commit) == ("staging", "c" * 40)
    assert policy_for(config, "syrf", "staging", "c" * 40) is None
    assert policy_for(config, "other", "production", "c" * 40) is None


def test_a_configuration_survives_being_stored() -> None:
    for text in (GOOD, FULL):
        config = load_config(text, presets())
        assert Config.model_validate_json(config.model_dump_json(by_alias=True)) == config


# durations ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("2h", 7200), ("1h30m", 5400), ("1d", 86400), ("0.5s", 0.5)],
)
def test_durations_as_people_write_them(text: str, seconds: float) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", " ", "15", 15, 1.5, None, "m", "1m1h", "-5m", "1w", "5 m"])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration such as"):
        duration(text)


@pytest.mark.parametrize("text", ["9" * 400 + "d", "99999999999d"])
def test_a_duration_beyond_all_time_is_refused(text: str) -> None:
    assert "expected a duration" in problems(in_production(f"gates: {{ soak: {text} }}"))[0]


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=400)))
def test_durations_are_written_as_they_are_read(span: timedelta) -> None:
    assert duration(duration_text(span)) == span


# the schema and the files beside it -----------------------------------------------------------


def test_the_schema_for_editors_is_current() -> None:
    """If this fails: write `schema_text()` to policies/pilotage.schema.json."""
    assert (policy_folder() / "pilotage.schema.json").read_text("utf-8") == schema_text()


@pytest.mark.parametrize("text", [GOOD, FULL])
def test_what_is_right_is_right_to_editors_too(text: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    assert list(validator.iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("preset:", "presets:"),
        in_production("gates: { soak: 15 }"),
        in_production("gates: { soak: 15 minutes }"),
        in_production("merge: auto"),
        in_production("checklist: [{ item: A B, text: x }]"),
        GOOD.replace("  syrf:", "  'sy rf':"),
        in_pipeline("    promote: [{ sett: a }]"),
    ],
)
def test_what_is_wrong_is_wrong_to_editors_too(text: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    assert list(validator.iter_errors(yaml.safe_load(text)))


def test_presets_and_templates_are_found() -> None:
    assert "cluster-gitops" in presets()
    assert (template_folder() / "pull_request.md.j2").is_file()
