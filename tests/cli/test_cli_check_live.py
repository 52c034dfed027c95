"""`pilotage check --live` against a served GitHub and Argo CD: each kind of finding for real."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from pilotage.sandbox.argocd import SYRF_CHART, ApplicationSet, ArgoCD, Source
from pilotage.sandbox.github import Permission, ProtectionKind, RequiredContext
from pilotage.sandbox.world import ADMINS, BOT, OWNER, QUICK, VERSIONS, World, layout, path_of
from tests.cli.clones import commit, git
from tests.cli.conftest import Ran, Run
from tests.ports import free_port

READY = "pilotage/ready"
TARGET = "syrf/production"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The command silences the logs of its process, which here is that of all tests."""
    kept, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**kept)
    root.handlers[:], root.level = handlers, level


@dataclass(frozen=True)
class Live:
    """A served world, a clone of its repository, and the command."""

    world: World
    clone: Path
    settings: Path
    run: Run
    credential: list[str] = field(default_factory=list)
    """The last one stands in the settings instead of a token."""

    def check(self, *more: object, told: Mapping[str, str] | None = None, by: str = BOT) -> Ran:
        """As an account, with other settings where `told` replaces some of their text."""
        text = self.world.settings_file(self.clone.parent / "data")
        mine = [f'token = "{self.world.github.token_for(by)}"', *self.credential][-1]
        text = re.sub(r'(?s)(\[github\].*?\n)token = "[^"]+"', rf"\g<1>{mine}", text)
        for old, new in (told or {}).items():
            assert old in text
            text = text.replace(old, new)
        self.settings.write_text(text)
        return self.run("check", self.clone, "--live", "--settings", self.settings, *more)

    def found(self, level: str, told: Mapping[str, str] | None = None, by: str = BOT) -> str:
        """The findings of a level as lines: what they are about, the text and the next step."""
        ran = self.check("--json", told=told, by=by)
        rows = ran.json["live"]
        problems = any(row["level"] == "problem" for row in rows)
        assert ran.code == (1 if problems else 0)
        return "\n".join(
            f"{row['about']}: {row['text']} -> {row['next']}"
            for row in rows
            if row["level"] == level
        )

    def protect(self, *contexts: str | RequiredContext, pull_request: bool = False,
                approvals: int = 0, bypass: tuple[str, ...] = ()) -> None:  # fmt: skip
        self.world.github.protect(
            self.world.repository,
            "main",
            contexts,
            pull_request=pull_request,
            approvals=approvals,
            bypass=bypass,
            kind=ProtectionKind.RULESET,
        )


Worlds = Callable[..., Live]


@pytest.fixture
def live(tmp_path: Path, run: Run) -> Iterator[Worlds]:
    opened: list[World] = []

    def make(**given: object) -> Live:
        world = World(tmp_path / "world", **given)  # type: ignore[arg-type]
        opened.append(world.__enter__())
        bare = tmp_path / "world" / "github" / f"{world.repository.full_name}.git"
        clone = tmp_path / "clone"
        git(tmp_path, "clone", "--quiet", str(bare), str(clone))
        git(clone, "remote", "set-url", "origin", world.github.clone_url(world.repository))
        made = Live(world, clone, tmp_path / "pilotage.toml", run)
        made.protect(READY)
        return made

    yield make
    for world in opened:
        world.__exit__(None, None, None)


# All is right


def test_all_is_right(live: Worlds) -> None:
    """Every part of it is told, and nothing is written anywhere."""
    there = live()
    ran = there.check()
    assert ran.code == 0, ran.out
    for told in (
        "main at ",
        f"signed in as {BOT}",
        "pilotage/ready is required",
        "a revert is a commit, pushed to main",
        "signed in as pilotage",
        "3 applications found",
        "automatic sync is on",
    ):
        assert told in ran.out
    assert ".pilotage.yaml is right" in ran.out
    assert "problem" not in ran.out
    written = ("POST", "PUT", "PATCH", "DELETE")
    asked = [each for each in there.world.github.requests.entries() if each.method in written]
    assert [each.path for each in asked if "git-upload-pack" not in each.path] == []
    assert not (there.clone.parent / "data").exists()


def test_the_same_facts_as_json(live: Worlds) -> None:
    found = live().check("--json").json
    assert (found["problems"], found["targets"]) == ([], [TARGET])
    assert {row["about"] for row in found["live"]} >= {"git", "GitHub", "branch main", TARGET}
    assert {row["level"] for row in found["live"]} == {"ok", "note"}


# The settings and the clone


def test_settings_that_cannot_be_used(live: Worlds, run: Run) -> None:
    there = live()
    ran = run("check", there.clone, "--live")
    assert (ran.code, "PILOTAGE_REPOSITORIES" in ran.err) == (2, True)
    ran = there.check(told={"[argocd.main]": '[argocd.main]\nca = "missing.pem"'})
    assert (ran.code, "No such file" in ran.err) == (2, True)
    ran = there.check(told={"[github]": "[github]\nca = 1"})
    assert (ran.code, "github.ca" in ran.err) == (2, True)
    assert there.world.github.token_for(BOT) not in ran.err


def test_a_clone_of_another_repository(live: Worlds) -> None:
    there = live()
    git(there.clone, "remote", "set-url", "origin", "https://ana:hunter22@github.com/acme/shop")
    problems = there.found("problem")
    assert "git: origin is github.com/acme/shop" in problems
    assert "settings name camaradesuk/cluster-gitops" in problems
    assert "hunter22" not in there.check().out
    git(there.clone, "remote", "remove", "origin")
    assert "git: the clone has no origin" in there.found("note")


def test_a_configuration_that_is_not_on_the_branch(live: Worlds) -> None:
    there = live()
    text = (there.clone / ".pilotage.yaml").read_text()
    commit(there.clone, {".pilotage.yaml": text + "        on_failure: hold\n"})
    notes = there.found("note")
    assert "has another .pilotage.yaml; .pilotage.yaml at " in notes
    assert "the service goes by what is on the branch" in notes


def test_a_configuration_that_cannot_be_used_keeps_nothing_else_from_being_checked(
    live: Worlds,
) -> None:
    there = live()
    commit(there.clone, {".pilotage.yaml": "version: 2\n"})
    ran = there.check()
    assert ran.code == 1
    assert ".pilotage.yaml:1: version" in ran.out
    assert f"signed in as {BOT}" in ran.out
    assert "signed in as pilotage" in ran.out


# GitHub


def test_a_wrong_token_is_told_and_not_shown(live: Worlds) -> None:
    there = live()
    ran = there.check("--json", told={'token = "gh': 'token = "wrong-gh'})
    (problem,) = [row for row in ran.json["live"] if row["level"] == "problem"]
    assert (ran.code, problem["about"]) == (1, "GitHub")
    assert "GitHub answered 401: Bad credentials" in problem["text"]
    assert "Check the token" in problem["next"]
    assert "wrong-gh" not in ran.out


def test_github_that_does_not_answer(live: Worlds) -> None:
    there = live()
    url = f"http://127.0.0.1:{free_port()}/api/v3"
    problems = there.found("problem", {there.world.github.api_url: url})
    assert "GitHub: reading camaradesuk/cluster-gitops failed: the connection failed" in problems
    assert f"see that {url} answers from here" in problems
    assert "Argo CD main: v3" in there.found("ok"), "the other half is looked at all the same"


def test_a_repository_that_may_not_be_seen(live: Worlds) -> None:
    there = live()
    stranger = there.world.github.create_user("stranger").login
    problems = there.found("problem", by=stranger)
    assert "GitHub: reading camaradesuk/cluster-gitops failed: GitHub answered 404" in problems
    assert "that the credentials may see the repository" in problems


def test_what_the_account_lacks(live: Worlds) -> None:
    there = live()
    there.world.repository.collaborators["reader"] = Permission.READ
    there.world.github.create_user("reader")
    problems = there.found("problem", by="reader")
    assert "GitHub: lacks contents: write, to push promotion branches" in problems
    assert "GitHub: lacks statuses: write, to post pilotage/ready" in problems


def test_what_github_does_not_answer_is_told_for_itself(live: Worlds) -> None:
    there = live()
    faults = there.world.github.faults
    faults.answer(403, path="/repos/*/labels", message="Resource not accessible")
    faults.answer(502, path="*/rules/*", times=2)
    ran = there.check()
    assert ran.code == 1
    assert "note     GitHub           the labels cannot be looked up: " in ran.out
    assert "problem  branch main      its rules cannot be read: " in ran.out
    assert "3 applications found" in ran.out


def test_labels_that_are_missing_and_there(live: Worlds) -> None:
    there = live()
    assert "no label requires-review yet" in there.found("note")
    world = there.world
    world.github.commit(world.repository, "topic", {"README.md": "# New\n"}, "text", "li")
    pull = world.github.open_pull_request_as("li", world.repository, "topic", "text")
    world.github.label(pull, ["Requires-Review"], "li")
    assert "GitHub: labels are there: requires-review" in there.found("ok")


PEOPLE = """\
        reviewers: { users: [maria, marai], teams: [nobodies] }
        assignees: [li]
"""


def test_people_and_teams_that_are_not_there(live: Worlds) -> None:
    there = live(policy=QUICK + PEOPLE)
    problems = there.found("problem")
    assert "GitHub: marai, reviewer of syrf/production, has no access" in problems
    assert "GitHub: no team nobodies (reviewer of syrf/production)" in problems
    assert "people are there: maria, li" in there.found("ok")


def test_a_person_s_own_account(live: Worlds) -> None:
    """Whose ticks would be the service's."""
    there = live()
    there.world.github.create_team("camaradesuk", ADMINS, ["maria", BOT])
    problems = there.found("problem")
    assert f"{BOT} is named as commander of syrf/production by the team {ADMINS}" in problems
    assert "is it a person's own account?" in problems


def test_fewer_people_than_must_approve(live: Worlds) -> None:
    gates = "gates: { soak: 1s, approvers: { teams: [platform-admins], count: 2 } }"
    there = live(policy=QUICK.replace("gates: { soak: 1s }", gates))
    assert "syrf/production: 2 must approve, and only 1 can" in there.found("problem")


def test_channels_that_the_settings_do_not_have(live: Worlds) -> None:
    """Nobody on call would hear of what is held."""
    there = live(policy=QUICK + "        notify: [on-cal, pager]\n")
    channel = {"[github]": '[channels.on-call]\nurl = "http://127.0.0.1:9/"\n\n[github]'}
    problems = there.found("problem", channel)
    assert "syrf/production: the settings have no channel on-cal for its messages" in problems
    assert "did you mean on-call?" in problems
    assert "no channel pager for its messages" in problems
    assert "add [channels.pager] to the settings" in problems
    assert "syrf/production: messages go to" not in there.found("ok", channel)


def test_channels_that_are_there(live: Worlds) -> None:
    there = live(policy=QUICK + "        notify: [on-call]\n")
    channel = {"[github]": '[channels.on-call]\nurl = "http://127.0.0.1:9/"\n\n[github]'}
    assert "syrf/production: messages go to on-call" in there.found("ok", channel)


# The branch


def test_a_branch_that_does_not_require_ready(live: Worlds) -> None:
    there = live()
    there.world.github.unprotect(there.world.repository)
    problems = there.found("problem")
    assert "branch main: pilotage/ready is not required" in problems
    assert "docs/github.md, Branch protection" in problems


def test_while_it_only_observes_nothing_that_acts_need_is_a_problem(live: Worlds) -> None:
    files = layout(QUICK)
    config = files[".pilotage.yaml"].replace(
        "    preset: cluster", "    mode: observe\n    preset: cluster"
    )
    there = live(files=files | {".pilotage.yaml": config})
    there.world.github.unprotect(there.world.repository)
    assert there.found("problem") == ""
    assert "pilotage/ready is not required" in there.found("note")


def test_ready_from_another_app_never_opens_the_gate(live: Worlds) -> None:
    there = live()
    there.protect(RequiredContext(READY, 4711))
    problems = there.found("problem")
    assert f"pilotage/ready counts only from App 4711, and {BOT} is not that" in problems


def test_a_github_app_is_what_ready_is_pinned_to(live: Worlds) -> None:
    there = live()
    world = there.world
    key = generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    app = world.github.register_app("pilotage", public, OWNER)
    world.github.install_app(app, OWNER, [world.repository])
    (there.clone.parent / "app.pem").write_text(private)
    file = json.dumps(str(there.clone.parent / "app.pem"))
    there.credential.append(f"app_id = {app.id}\nprivate_key_file = {file}")
    there.protect(RequiredContext(READY, app.id))
    good = there.found("ok")
    assert f"GitHub: signed in as pilotage[bot], App {app.id}" in good
    assert "has contents: write, pull_requests: write, statuses: write, deployments: write" in good
    assert f"branch main: pilotage/ready is required from App {app.id}" in good
    notes = there.found("note")
    assert "cannot read camaradesuk/syrf" in notes
    assert "Install the App on camaradesuk/syrf" not in there.found("problem")
    there.protect(READY)
    assert f"pin it to App {app.id}" in there.found("note")


def test_which_kind_of_revert_will_work(live: Worlds) -> None:
    there = live()
    there.protect(READY, pull_request=True)
    assert "merged at once: pull requests are required" in there.found("note")
    there.protect(READY, approvals=1)
    problems = there.found("problem")
    assert "a revert waits until a person merges it: pull requests are required" in problems
    assert "somebody must approve" in problems
    there.protect(READY, approvals=1, bypass=(BOT,))
    assert "a revert is a commit, pushed to main" in there.found("ok")
    there.protect(READY, "ci")
    assert "ci is required, which a revert does not have" in there.found("problem")


def test_classic_protection_is_not_shown_to_everybody(live: Worlds) -> None:
    there = live()
    there.world.github.protect(there.world.repository, "main", [READY])
    notes = there.found("note")
    assert "classic protection is only seen by administrators" in notes
    assert "a revert is a commit, pushed to main, as far as the rules may be read" in notes


# Argo CD


def by_hand(
    argocd: ArgoCD, config: str, charts: str, *, revision: str = "HEAD", automated: bool = True
) -> None:
    """One application for each file, by the names of the preset."""
    for environment in ("staging", "production"):
        for service in VERSIONS:
            follows = revision if environment == "production" else "HEAD"
            source = Source(
                config,
                follows,
                "charts/svc",
                value_files=(f"/{path_of(environment, service)}",),
                release_name=service,
            )
            argocd.add_application(
                f"{service}-{environment}",
                sources=[source],
                service=service,
                chart=SYRF_CHART,
                namespace=f"syrf-{environment}",
                automated=automated or environment == "staging",
                self_heal=False,
                prune=environment == "staging",
                live=False,
            )


def test_argocd_that_does_not_answer(live: Worlds) -> None:
    there = live()
    url = f"http://127.0.0.1:{free_port()}"
    problems = there.found("problem", {there.world.argocd_url: url})
    assert "Argo CD main: main could not be reached" in problems
    assert f"see that {url} is right and answers from here" in problems
    assert "pilotage/ready is required" in there.found("ok")


def test_a_token_that_argocd_does_not_know(live: Worlds) -> None:
    there = live()
    token = there.world.argocd.accounts.token("pilotage")
    there.world.argocd.accounts.revoke(token)
    ran = there.check()
    assert (ran.code, "problem  Argo CD main" in ran.out) == (1, True)
    assert token not in ran.out


def test_applications_on_another_branch(live: Worlds) -> None:
    there = live(applications=partial(by_hand, revision="release-1"))
    problems = there.found("problem")
    names = "api-production, project-management-production, web-production"
    why = "targetRevision is release-1, and promotions go to main"
    assert f"{TARGET}: {names}: {why} -> let it be main or HEAD" in problems
    assert "syrf/staging: 3 applications found" in there.found("ok")


def test_manifests_that_are_not_to_be_had(live: Worlds) -> None:
    """Asked for where the gate needs them, of one application."""
    there = live(policy=QUICK.replace("soak: 1s", "soak: 1s, artifacts: {}"))
    assert there.found("problem") == ""
    (asked,) = (each for each in there.world.argocd.asked if "/manifests" in each)
    assert asked.startswith("GET /api/v1/applications/api-production/manifests?project=")
    assert "revision" not in asked
    faults = there.world.argocd.faults
    faults.cannot_render["api-production"] = "no plugin"
    problems = there.found("problem")
    assert f"{TARGET}: api-production does not render as it stands: no plugin" in problems
    faults.repo_server_down = True
    problems = there.found("problem")
    assert f"{TARGET}: the manifests of api-production cannot be read: 503" in problems
    assert "gates.artifacts.render: false" in problems


def test_automatic_sync_that_is_off(live: Worlds) -> None:
    """Then Pilotage asks for the sync; without that right nobody does."""
    there = live(applications=partial(by_hand, automated=False))
    notes = there.found("note")
    assert f"{TARGET}: automatic sync is off for api-production" in notes
    assert "Pilotage asks for the sync" in notes
    accounts = there.world.argocd.accounts
    told = {accounts.token("pilotage"): accounts.token("readonly")}
    problems = there.found("problem", told)
    assert f"{TARGET}: automatic sync is off and the token may not sync api-production" in problems


def test_prune_and_self_heal_are_noted(live: Worlds) -> None:
    notes = live(applications=by_hand).found("note")
    assert f"{TARGET}: prune is off for api-production" in notes
    assert f"{TARGET}: selfHeal is off for api-production" in notes
    assert "syrf/staging: selfHeal is off" in notes
    assert "syrf/staging: prune" not in notes


def test_applications_that_are_not_there(live: Worlds) -> None:
    def other_names(argocd: ArgoCD, config: str, charts: str) -> None:
        argocd.add_application_set(
            ApplicationSet("syrf", config, charts, application="{service}-{environment}-eu")
        )

    problems = live(applications=other_names).found("problem")
    assert f"{TARGET}: Argo CD main shows no application web-production -> " in problems
    assert "did you mean web-production-eu?" in problems


def test_an_argocd_that_the_settings_do_not_know(live: Worlds) -> None:
    problems = live(policy=QUICK + "        argocd: mian\n").found("problem")
    assert f"{TARGET}: the settings know no Argo CD mian; they know main" in problems
    assert "did you mean main?" in problems


def test_applications_are_found_by_what_they_read(live: Worlds) -> None:
    """`applications: auto`: with the reason where none is found."""

    def only_staging(argocd: ArgoCD, config: str, charts: str) -> None:
        argocd.add_application_set(
            ApplicationSet("syrf", config, charts, files="syrf/environments/staging/*/config.yaml")
        )

    there = live(policy=QUICK + "        applications: auto\n", applications=only_staging)
    problems = there.found("problem")
    file = path_of("production", "api")
    assert f"{TARGET}: no application on main reads {file}" in problems
