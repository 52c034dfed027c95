"""What a branch's head renders to, as a real Argo CD was recorded and as the sandbox answers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pilotage.adapters.argocd import ArgoCD
from pilotage.core.application import ApplicationRef, RenderAt, Rendering
from pilotage.core.manifests import RIGHTS, Answer, DoesNotRender, NotSeen, Renders, answer
from tests.contract.argocd_served import STAGING, Served, served
from tests.contract.argocd_server import Told, serving
from tests.contract.argocd_world import values

REF = ApplicationRef("main", "syrf-staging", "argocd", "api-staging")


@cache
def rendered(name: str) -> Rendering:
    """What the adapter makes of a recorded answer."""
    told = Told()
    told.as_recorded(name)
    with serving(told), ArgoCD("main", told.url, SecretStr("t")) as argocd:
        return argocd.render(REF, RenderAt(((0, "a" * 40),)))


RECORDED: dict[str, Answer] = {
    "manifests-branch-commit": Renders(2, 1),
    "manifests-current": Renders(2, 0),
    "manifests-broken-values": DoesNotRender(
        "failed to parse <path to cached source>/helm-values/staging.yaml: cannot unmarshal yaml "
        "document: error converting YAML to JSON: yaml: line 1: did not find expected ',' or ']'"
    ),
    "manifests-unknown-revision": NotSeen(
        "fatal: remote error: upload-pack: not our ref 0000000000000000000000000000000000000001"
    ),
    "manifests-branch-name": NotSeen("unable to resolve 'render-test-branch' to a commit SHA"),
    "revision-metadata-reposerver-down": NotSeen(
        '503: connection error: desc = "transport: Error while dialing: dial tcp '
        '127.0.0.1:18081: connect: connection refused"'
    ),
    "error-get-403-outsider-existing": NotSeen("403: permission denied", RIGHTS),
    "error-get-401-no-token": NotSeen("401: no session information", RIGHTS),
}


@pytest.mark.runbook("VAPORA-6")
@pytest.mark.parametrize(("name", "said"), RECORDED.items(), ids=RECORDED)
def test_what_a_real_argocd_says_of_a_branch(name: str, said: Answer) -> None:
    """The base is what it rendered without a branch: one version differs."""
    assert answer(rendered(name), rendered("manifests-current")) == said


def test_a_branch_as_broken_as_its_base_is_not_at_fault() -> None:
    broken = rendered("manifests-broken-values")
    said = answer(broken, broken)
    assert isinstance(said, DoesNotRender)
    assert said.at_base


@pytest.fixture
def cd(tmp_path: Path) -> Iterator[Served]:
    yield from served(tmp_path)


def test_the_sandbox_answers_for_a_branch_as_the_real_one_does(cd: Served) -> None:
    """By the head alone; broken values by the same words; its switch makes any rendering fail."""
    cd.plain()
    base = cd.repository.commit({STAGING: values("1.1.0")})
    head = cd.repository.commit({STAGING: values("2.1.0")}, branch="promotion", onto=base)
    bad = cd.repository.commit({STAGING: "image: [\n"}, branch="promotion")
    token = SecretStr(cd.argocd.accounts.token("pilotage"))
    with ArgoCD("main", str(cd.client.base_url), token) as argocd:

        def at(commit: str) -> Rendering:
            return argocd.render(REF, RenderAt(((0, commit),)))

        assert answer(at(head), at(base)) == Renders(2, 1)
        assert answer(at(base), at(base)) == Renders(2, 0)
        broken = answer(at(bad), at(base))
        assert isinstance(broken, DoesNotRender)
        begin = "failed to parse <path to cached source>/helm-values/staging.yaml: cannot unmarshal"
        assert broken.message.startswith(begin)
        assert not broken.at_base
        unknown = answer(at("0" * 39 + "1"), at(base))
        assert isinstance(unknown, NotSeen)
        assert unknown.reason.startswith("fatal: remote error")

        switch(cd, "api-staging", "the plugin has no answer")
        assert answer(at(head), at(base)) == DoesNotRender("the plugin has no answer", at_base=True)
        switch(cd, "api-staging", None)
        assert answer(at(head), at(base)) == Renders(2, 1)
        assert switch(cd, "nobody", "x") == 400


def switch(cd: Served, name: str, message: str | None) -> int:
    wanted: dict[str, Any] = {"cannotRender": {name: message}}
    return cd.client.post("/_sandbox/faults", json=wanted).status_code
