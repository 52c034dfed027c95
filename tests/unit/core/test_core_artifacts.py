"""What is wrong with the files of a promotion, what is good, and what the gate makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilotage.core import artifacts
from pilotage.core.artifacts import Artifact, Artifacts, Content, content, evidence, findings
from pilotage.core.change import Part, Write
from pilotage.core.config.load import Problem
from pilotage.core.config.policy import ArtifactRules, Permission
from pilotage.core.gates import Gate, Verdict, judge_gates
from pilotage.core.snapshot import Known, Seen, Unknown
from tests.unit.core.worlds import HEAD, NOW, SOURCE, opened, production

RULES = ArtifactRules(kubernetes="1.31")
ASKED = production(gates='{ artifacts: { kubernetes: "1.31" } }')
PATH = "deploy/production/deployment.yaml"


def resource(kind: str, name: str, version: str = "v1", namespace: str = "") -> str:
    where = f", namespace: {namespace}" if namespace else ""
    return f"---\napiVersion: {version}\nkind: {kind}\nmetadata: {{ name: {name}{where} }}\n"


def seen(before: str | None, after: str | None, path: str = PATH) -> Artifacts:
    read = [None if text is None else content(text) for text in (before, after)]
    return Artifacts(HEAD, "staging", SOURCE, (Artifact(path, read[0], read[1]),))


THREE = "".join(resource("Deployment", name, "apps/v1") for name in ("a", "b", "c"))
CONFIG = resource("ConfigMap", "c")
GOOD = seen(THREE + CONFIG, THREE + CONFIG)
IMAGE = Write(PATH, "spec.image", "v1", "v2", "kind=Deployment")
WHOLE = Write("deploy/production/configmap.yaml", ".", "a" * 40, "b" * 40, part=Part.FILE)

WRONG = {
    "a file that does not parse": (
        seen(THREE, "a: [1\n"),
        f"{PATH}:2: not YAML: did not find expected ',' or ']'",
    ),
    "a file that is not there": (seen(THREE, None), f"{PATH}: there is no such file on the branch"),
    "what a schema says": (
        replace(
            GOOD,
            files=(
                Artifact(
                    PATH,
                    Content(),
                    Content(problems=(Problem("", 7, "spec.replicas", "expected a whole number"),)),
                ),
            ),
        ),
        f"{PATH}:7: spec.replicas: expected a whole number",
    ),
    "a resource that is gone": (
        seen(THREE + CONFIG, THREE),
        f"{PATH}: ConfigMap c is there now, and would be gone",
    ),
    "a resource that has another namespace": (
        seen(resource("Service", "s", namespace="old"), resource("Service", "s", namespace="new")),
        f"{PATH}: Service s in old is there now, and would be gone",
    ),
    "a value that is not the source's": (
        replace(GOOD, unlike=(("backend", (IMAGE,)),)),
        f"{PATH}: spec.image: backend has v1; from staging at bbbbbbb comes v2",
    ),
    "a whole file that is not the source's": (
        replace(GOOD, unlike=(("settings", (WHOLE,)),)),
        "deploy/production/configmap.yaml: settings has aaaaaaaaaaaa; "
        "from staging at bbbbbbb comes bbbbbbbbbbbb",
    ),
    "a source that cannot be compared": (
        replace(
            GOOD, problems=(Problem("deploy/staging/x.yaml", None, "", "there is no such file"),)
        ),
        "deploy/staging/x.yaml: there is no such file",
    ),
}


@pytest.mark.runbook("VAPORA-6")
@pytest.mark.parametrize(("found", "text"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_an_artifact_is_told_with_its_place(found: Artifacts, text: str) -> None:
    assert [str(problem) for problem in findings(found, RULES)] == [text]
    gate = judged(Known(found, NOW))
    assert (gate.verdict, gate.reason) == (Verdict.FAIL, text)


GOOD_ONES = {
    "another version of the same kind": seen(
        resource("Deployment", "a", "apps/v1beta1"), resource("Deployment", "a", "apps/v1")
    ),
    "one more resource": seen(CONFIG, CONFIG + THREE),
    "a new file": seen(None, THREE),
    "a file that was broken": seen("a: [", THREE),
    "no resources": seen("image: { tag: v1 }\n", "image: { tag: v2 }\n"),
    "a resource in a list": seen(
        CONFIG,
        "apiVersion: v1\nkind: List\nitems: "
        "[{ apiVersion: v1, kind: ConfigMap, metadata: { name: c } }]\n",
    ),
    "a resource that moved to another file": replace(
        GOOD,
        files=(
            Artifact("a.yaml", content(THREE + CONFIG), content(THREE)),
            Artifact("b.yaml", None, content(CONFIG)),
        ),
    ),
}


@pytest.mark.parametrize("found", GOOD_ONES.values(), ids=GOOD_ONES)
def test_what_is_good_is_not_complained_about(found: Artifacts) -> None:
    assert findings(found, RULES) == ()


def test_resources_may_go_where_the_policy_says_so() -> None:
    gone = seen(THREE + CONFIG, THREE)
    assert findings(gone, ArtifactRules(removed=Permission.ALLOW)) == ()
    assert artifacts.next_step(gone, RULES).endswith("gates.artifacts.removed: allow")


CUSTOM = Content(
    content(THREE + resource("Rollout", "r", "argoproj.io/v1")).resources, (), ("Rollout",)
)
TOLD = {
    "3 Deployments and 1 ConfigMap fit Kubernetes 1.31": (GOOD, RULES),
    "1 file parses; 1 ConfigMap fits Kubernetes 1.31; the same": (seen(None, CONFIG), RULES),
    "1 file parses; 3 Deployments fit Kubernetes 1.31; 1 Rollout without a schema here; the same": (
        replace(GOOD, files=(Artifact(PATH, None, CUSTOM),)),
        RULES,
    ),
    "1 file parses; the same build as staging at bbbbbbb": (GOOD, ArtifactRules()),
    "0 files parse; 1 file of another kind not read": (
        replace(GOOD, files=(Artifact("app.toml", None, Content()),)),
        RULES,
    ),
    "2 NetworkPolicies and 1 Ingress fit": (
        seen(
            None,
            resource("NetworkPolicy", "a")
            + resource("NetworkPolicy", "b")
            + resource("Ingress", "i"),
        ),
        RULES,
    ),
}


@pytest.mark.parametrize("text", TOLD)
def test_what_was_found_good_is_said(text: str) -> None:
    found, rules = TOLD[text]
    assert text in evidence(found, rules)


def judged(found: Seen[Artifacts] | None) -> Gate:
    snapshot = opened(policy=ASKED, artifacts=found)
    promotion = snapshot.target.proposal
    assert promotion is not None
    gates = judge_gates(promotion, snapshot.target, snapshot)
    return next(gate for gate in gates if gate.name == "artifacts")


def test_the_gate_passes_with_its_evidence() -> None:
    gate = judged(Known(GOOD, NOW))
    assert gate.verdict is Verdict.PASS
    assert gate.reason == (
        "1 file parses; 3 Deployments and 1 ConfigMap fit Kubernetes 1.31; "
        "the same build as staging at bbbbbbb"
    )


def test_what_cannot_be_validated_waits_and_says_what_to_do() -> None:
    gate = judged(Unknown("no schemas", NOW, next_step="install them"))
    assert gate.verdict is Verdict.WAIT
    assert gate.reason == "the artifacts cannot be validated: no schemas"
    assert gate.next_step == "install them"
    assert judged(None).verdict is Verdict.WAIT


def test_many_findings_are_cut_and_counted() -> None:
    problems = tuple(Problem("", line, "", "wrong") for line in range(1, 9))
    found = replace(GOOD, files=(Artifact(PATH, None, Content(problems=problems)),))
    gate = judged(Known(found, NOW))
    assert gate.reason == f"{PATH}:1: wrong; {PATH}:2: wrong; {PATH}:3: wrong (and 5 more)"
