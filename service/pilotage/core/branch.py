"""The set as it stands on the branch, and as its pull request first shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pilotage.core import places, prose
from pilotage.core.acts import CommitBranch
from pilotage.core.change import Part, ServiceChange, Write
from pilotage.core.config.load import Problem
from pilotage.core.decision import Draft
from pilotage.core.gates import judge_gates
from pilotage.core.model import Promotion, Sha
from pilotage.core.places import FileText, Refused
from pilotage.core.plan import Plan, joined
from pilotage.core.proposal_page import proposal_outputs

_TOLD_BY_THE_BRANCH = ("contents", "artifacts", "renders", "approvers")


def show_first(draft: Draft, promotion: Promotion) -> None:
    """The body that the pull request is opened with: nobody has read its branch yet."""
    gates = judge_gates(promotion, draft.target, draft.seen)
    known = tuple(gate for gate in gates if gate.name not in _TOLD_BY_THE_BRANCH)
    draft.outputs.append(proposal_outputs(draft.seen, draft.target, promotion, None, known))


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
    return joined([plan.services[change.service] for change in changes])


def commit_keys(promotion: Promotion) -> str:
    """How the keys of all commits for its branch begin."""
    return f"{promotion.id}/commit/"


@dataclass(frozen=True, slots=True)
class Rebased:
    """The same values on newer texts; `files` are those that still have to change."""

    changes: tuple[ServiceChange, ...]
    files: Mapping[str, str]


def rebase(
    changes: Sequence[ServiceChange],
    texts: Mapping[str, str | None],
    contents: Mapping[str, str],
) -> Rebased:
    """What a promotion recorded, written into today's texts of the target's files.

    Values are asked of nobody: the source environment may have gone elsewhere since. What stands in
    the files now becomes what the changes replace. `contents` are whole files, by id.

    Raises:
        Refused: a file is not there any more, or cannot be edited safely.
    """
    rebased = []
    files = {path: text for path, text in texts.items() if text is not None}
    changed: dict[str, str] = {}
    for change in changes:
        present = {path: FileText(path, text) for path, text in (files | changed).items()}
        writes = _now(change, present)
        shown = places.shown(writes[0].place, writes[0].before or "") or None
        rebased.append(replace(change, before=shown, writes=writes))
        for write in writes:
            replaced = write.part is Part.FILE and write.before != write.after
            if replaced and write.after not in contents:
                reason = "the source environment has another content by now"
                raise Refused(Problem(write.file, None, "", reason))
        changed |= places.written(writes, files | changed, contents)
    return Rebased(tuple(rebased), changed)


def _now(change: ServiceChange, present: Mapping[str, FileText]) -> tuple[Write, ...]:
    """The writes with what they replace today; a file that is new replaces nothing."""
    files = {write.file for write in change.writes if write.part is Part.FILE}
    new = {file for file in files if file not in present}
    found = places.read([each.place for each in change.writes if each.file not in new], present)
    return tuple(replace(write, before=found.get(write.place)) for write in change.writes)
