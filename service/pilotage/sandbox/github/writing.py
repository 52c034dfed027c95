"""Writes to refs by the API, under the rules of the branch."""

from __future__ import annotations

from dataclasses import dataclass, field

from pilotage.sandbox.github import branches, rules
from pilotage.sandbox.github.bare import RefMoved
from pilotage.sandbox.github.errors import Refused
from pilotage.sandbox.github.model import Account, Permission, Protection, Repository
from pilotage.sandbox.github.pulls import require
from pilotage.sandbox.github.state import State


@dataclass(frozen=True, slots=True)
class Verdict:
    """What protection says to one ref of a push: `violations` refuse it; `forward_only` is the
    text for a history that does not continue; `note` is printed for a bypass that was used."""

    violations: list[str] = field(default_factory=list)
    refused: str = ""
    forward_only: str = ""
    note: str = ""


def judge(
    state: State, repo: Repository, ref: str, old: str | None, new: str | None, by: Account
) -> Verdict:
    """Whether protection lets `by` move a ref, whichever way it is asked for."""
    protection = repo.protections.get(ref.removeprefix("refs/heads/"))
    if protection is None or not ref.startswith("refs/heads/") or old is None:
        return Verdict()
    url = f"{state.base_url}/{repo.full_name}"
    if new is None:
        return _refused(protection, ["Cannot delete this protected branch"], url)
    violations = rules.push_violations(protection, repo, new)
    if rules.may_bypass(state, repo, protection, by.login):
        lines = [
            f"Bypassed rule violations for {ref}:",
            "",
            *(f"- {each}" for each in violations),
            "",
        ]
        return Verdict(note="\n".join(lines)) if violations else Verdict()
    if violations:
        return _refused(protection, violations, url)
    text = rules.push_refusal(protection, ["Cannot force-push to this branch"], url)
    return Verdict(forward_only=text)


def _refused(protection: Protection, violations: list[str], url: str) -> Verdict:
    return Verdict(violations, rules.push_refusal(protection, violations, url))


def move_ref(
    state: State, repo: Repository, ref: str, sha: str, by: Account, *, force: bool
) -> None:
    """PATCH git/refs. Raises Refused (422)."""
    require(state, repo, by, Permission.WRITE)
    old = repo.git.ref(ref)
    if old is None:
        raise Refused(422, "Reference does not exist")
    if repo.git.object_type(sha) is None:
        raise Refused(422, "Object does not exist")
    forward = repo.git.contains(sha, old)
    if not forward and not force:
        raise Refused(422, "Update is not a fast forward")
    verdict = judge(state, repo, ref, old, sha, by)
    violations = list(verdict.violations)
    if not forward and verdict.forward_only:
        violations = ["Cannot force-push to this branch"]
    if violations:
        raise Refused(422, _api_text(repo, ref, violations))
    _move(state, repo, ref, sha, old, by)


def delete_ref(state: State, repo: Repository, ref: str, by: Account) -> None:
    require(state, repo, by, Permission.WRITE)
    old = repo.git.ref(ref)
    if old is None:
        raise Refused(422, "Reference does not exist")
    verdict = judge(state, repo, ref, old, None, by)
    if verdict.violations:
        raise Refused(422, _api_text(repo, ref, verdict.violations))
    _move(state, repo, ref, None, old, by)


def commit_to_branch(
    state: State, repo: Repository, branch: str, sha: str, old: str | None, by: Account
) -> None:
    """A commit that the contents API made. Raises Refused (409)."""
    ref = f"refs/heads/{branch}"
    verdict = judge(state, repo, ref, old, sha, by)
    if verdict.violations:
        text = _api_text(repo, ref, verdict.violations)
        raise Refused(409, f"Could not update file: {text}")
    _move(state, repo, ref, sha, old, by)


def _api_text(repo: Repository, ref: str, violations: list[str]) -> str:
    protection = repo.protections[ref.removeprefix("refs/heads/")]
    return rules.refusal_text(protection, violations)


def _move(
    state: State, repo: Repository, ref: str, new: str | None, old: str | None, by: Account
) -> None:
    try:
        branches.move(state, repo, ref, new, old, by)
    except RefMoved as error:
        raise Refused(409, "Reference was updated meanwhile") from error
