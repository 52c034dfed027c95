"""Whether the branch's rules keep the gate, and which kind of revert they let through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from pilotage.core.config.policy import OnFailure
from pilotage.core.forge import READY, Access, BranchRules, Protection
from pilotage.core.readiness.findings import Finding, Level, Target, Unknown
from pilotage.core.wording import listed

_PROTECT = "docs/github.md, Branch protection"
_RULES: Mapping[str, tuple[str, str]] = {
    "required_signatures": ("commits must be signed", "commits must be signed"),
    "required_linear_history": ("", ""),
    "merge_queue": ("changes go through a merge queue", "changes go through a merge queue"),
    "lock_branch": ("the branch is locked", "the branch is locked"),
    "restrictions": ("only chosen accounts may push", "only chosen accounts may merge"),
    "update": ("only who bypasses may push", "only who bypasses may merge"),
}
"""GitHub's names to what refuses a push, and a merge of the service's own."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What stands in the way of a revert, by each way that it can take; nothing: it works."""

    push: tuple[str, ...]
    merge: tuple[str, ...]
    certain: bool = True
    """False when not all rules may be read, or not whether they bind the service."""


def ways_of(protection: Protection, access: Access) -> Ways:
    """A revert is one commit on the branch's head that carries `pilotage/ready` and no more."""
    admin = access.administrator
    return Ways(
        tuple(_push(protection.pushing(administrator=admin), access)),
        tuple(_merge(protection.merging(administrator=admin), access)),
        protection.known and protection.bypass_known,
    )


def _push(rules: BranchRules, access: Access) -> Iterator[str]:
    if rules.pull_request_required:
        yield "pull requests are required"
    yield from _contexts(rules, access)
    yield from (_RULES.get(name, (f"the rule {name}", ""))[0] for name in _others(rules, 0))


def _merge(rules: BranchRules, access: Access) -> Iterator[str]:
    if rules.approvals:
        yield "somebody must approve"
    yield from _contexts(rules, access)
    if not _methods(rules, access):
        yield "no way of merging is allowed"
    yield from (_RULES.get(name, ("", f"the rule {name}"))[1] for name in _others(rules, 1))


def _contexts(rules: BranchRules, access: Access) -> Iterator[str]:
    if _is_anothers(rules.required_contexts.get(READY), access):
        yield f"{READY} counts only from App {rules.required_contexts[READY]}"
    for context in rules.required_contexts:
        if context != READY:
            yield f"{context} is required, which a revert does not have"


def _others(rules: BranchRules, way: int) -> list[str]:
    return [name for name in rules.others if name not in _RULES or _RULES[name][way]]


def _methods(rules: BranchRules, access: Access) -> frozenset[str]:
    every = frozenset({"merge", "squash", "rebase"})
    return every & (rules.merge_methods or every) & (access.merge_methods or every)


def _is_anothers(app: int | None, access: Access) -> bool:
    return app is not None and app != access.app


def judge_branch(
    protection: Protection | Unknown, access: Access, branch: str, targets: tuple[Target, ...]
) -> Iterator[Finding]:
    about = f"branch {branch}"
    if isinstance(protection, Unknown):
        yield Finding(
            Level.PROBLEM,
            about,
            f"its rules cannot be read: {protection.reason}",
            protection.next_step,
        )
        return
    acts = any(target.acts for target in targets)
    rules = protection.everybody
    yield _gate(protection, access, about, acts)
    methods = ", ".join(sorted(_methods(rules, access)))
    how = "need a pull request" if rules.pull_request_required else "may be pushed"
    yield Finding(Level.OK, about, f"changes {how}; merged by {methods}")
    yield from _noted(protection, about)
    ways = ways_of(protection, access)
    for target in targets:
        yield _revert(ways, target, access.identity, branch)


def _gate(protection: Protection, access: Access, about: str, acts: bool) -> Finding:
    contexts = protection.everybody.required_contexts
    bad = Level.PROBLEM if acts else Level.NOTE
    if READY not in contexts:
        text = f"{READY} is not required: a promotion can be merged before its gates are open"
        if not protection.known:
            bad, text = Level.NOTE, f"{READY} is not among the rules that may be read"
        return Finding(bad, about, text, f"require it: {_PROTECT}")
    app = contexts[READY]
    if _is_anothers(app, access):
        text = f"{READY} counts only from App {app}, and {access.identity} is not that"
        return Finding(bad, about, text, "pin it to the account of the service, or to nobody")
    if app is None and access.app is not None:
        text = f"{READY} is required from whoever posts it: all who may write can open the gate"
        return Finding(Level.NOTE, about, text, f"pin it to App {access.app}")
    return Finding(Level.OK, about, f"{READY} is required" + (f" from App {app}" if app else ""))


def _noted(protection: Protection, about: str) -> Iterator[Finding]:
    rules = protection.everybody
    if "merge_queue" in rules.others:
        text = f"a merge queue tests what is merged; {READY} is posted there too"
        yield Finding(Level.OK, about, text)
    if any(each.administrators_pass for each in protection.sets):
        text = "administrators may merge past the gate; `outside_gate` says what happens then"
        yield Finding(Level.NOTE, about, text, "enforce the rules for administrators")
    if not protection.known:
        text = "classic protection is only seen by administrators: there may be more rules"
        step = "grant administration: read for this check, or use a ruleset"
        yield Finding(Level.NOTE, about, text, step)
    elif not protection.bypass_known:
        yield Finding(
            Level.NOTE, about, "GitHub does not say whether its rulesets bind the service"
        )


def _revert(ways: Ways, target: Target, identity: str, branch: str) -> Finding:
    push, merge = listed(ways.push), listed(ways.merge)
    way = target.environment.on_failure
    match way:
        case OnFailure.HOLD:
            return Finding(
                Level.OK, target.id, "what fails is held for a person (on_failure: hold)"
            )
        case OnFailure.REVERT if not ways.push:
            return _perhaps(ways, target, f"a revert is a commit, pushed to {branch}")
        case OnFailure.REVERT if not ways.merge:
            text = f"a revert becomes a pull request, merged at once: {push}"
            step = f"to have it pushed, let {identity} bypass that"
            return Finding(Level.NOTE, target.id, text, step)
        case OnFailure.REVERT_PULL_REQUEST if not ways.merge:
            return _perhaps(ways, target, "a revert is a pull request, merged at once")
        case OnFailure.REVERT | OnFailure.REVERT_PULL_REQUEST:
            both = listed(dict.fromkeys((*ways.push, *ways.merge)))
            why = merge if way is OnFailure.REVERT_PULL_REQUEST else both
            return _by_person(ways, target, identity, why)
        case _ as never:
            assert_never(never)


def _perhaps(ways: Ways, target: Target, text: str) -> Finding:
    if ways.certain:
        return Finding(Level.OK, target.id, text)
    return Finding(Level.NOTE, target.id, f"{text}, as far as the rules may be read")


def _by_person(ways: Ways, target: Target, identity: str, why: str) -> Finding:
    text = f"a revert waits until a person merges it: {why}"
    if not ways.certain:
        level, text = Level.NOTE, f"{text}; unless {identity} may bypass that, which is not told"
    else:
        level = target.failing
    step = f"let {identity} bypass that, or write on_failure: hold"
    return Finding(level, target.id, text, step)
