"""The set as it stands on the branch, and as its pull request first shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pilotage import edit
from pilotage.core import pages, prose
from pilotage.core.acts import CommitBranch
from pilotage.core.decision import Draft
from pilotage.core.gates import judge_gates
from pilotage.core.model import (
    Promotion,
    ServiceChange,
    Sha,
    Write,
)
from pilotage.core.plan import Plan

_TOLD_BY_GITHUB = ("contents", "approvers")


def show_first(draft: Draft, promotion: Promotion) -> None:
    """The body that the pull request is opened with: what GitHub must tell is not known yet."""
    gates = judge_gates(promotion, draft.target, draft.seen)
    known = tuple(gate for gate in gates if gate.name not in _TOLD_BY_GITHUB)
    draft.outputs.append(pages.proposal_outputs(draft.seen, draft.target, promotion, None, known))


def commit_branch(
    draft: Draft, promotion: Promotion, files: Mapping[str, str], *, expected: Sha | None
) -> None:
    """`files` are whole texts that differ from those at the promotion's base."""
    of = f"{promotion.generation}/{promotion.run}/{promotion.base[:12]}"
    key = f"{commit_keys(promotion)}{of}"
    draft.acts.append(
        CommitBranch(
            key=key,
            promotion=promotion.id,
            branch=promotion.branch,
            base=promotion.base,
            expected=expected,
            files=files,
            message=prose.commit_message(draft.seen.policy, promotion, key),
            at=draft.now,
        )
    )


def planned(plan: Plan, changes: Sequence[ServiceChange]) -> dict[str, str]:
    """The texts of files that today's plan has for these changes."""
    chosen = [plan.services[change.service] for change in changes]
    return {found.file: found.text for found in chosen}


def commit_keys(promotion: Promotion) -> str:
    """How the keys of all commits for its branch begin."""
    return f"{promotion.id}/commit/"


@dataclass(frozen=True, slots=True)
class Rebased:
    """The same values on newer texts; `files` are those that still have to change."""

    changes: tuple[ServiceChange, ...]
    files: Mapping[str, str]


def rebase(
    changes: Sequence[ServiceChange], version_path: str, texts: Mapping[str, str | None]
) -> Rebased:
    """What a promotion recorded, written into today's texts of the target's files.

    Nothing is asked of the source environment, which may have gone elsewhere since. What stands in
    the files now becomes what the changes replace.

    Raises:
        EditRefused: a file is not there any more, or cannot be edited safely.
    """
    rebased = []
    files: dict[str, str] = {}
    for change in changes:
        now = tuple(_now(write, texts) for write in change.writes)
        before = next((each.before for each in now if each.path == version_path), change.before)
        rebased.append(replace(change, before=before, writes=now))
        for file in dict.fromkeys(each.file for each in now if each.before != each.after):
            text = files.get(file) or texts[file]
            assert text is not None, "it was read above"
            values = {each.path: each.after for each in now if each.file == file}
            files[file] = edit.set_values(text, values)
    return Rebased(tuple(rebased), files)


def _now(write: Write, texts: Mapping[str, str | None]) -> Write:
    text = texts.get(write.file)
    if text is None:
        raise edit.EditRefused(f"{write.file} cannot be read any more", path=write.path)
    found = edit.read_value(text, write.path)
    if isinstance(found, edit.Missing):
        raise edit.EditRefused(f"{write.file} has no such value any more", path=write.path)
    return replace(write, before=found)
