"""Why a target or a promotion stands where it stands, line by line, with what comes next.

For `explain`, the API and the pages alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from pilotage.core.model import Promotion, State, Target
from pilotage.core.version import cut
from pilotage.web.shown import Shown


def of_target(found: Target) -> list[Shown]:
    """What the last decision went by, and what keeps any from being made.

    What somebody can do something about comes first.
    """
    lines: list[Shown] = []
    if found.config_problem:
        lines.append(_reason("configuration", found.config_problem, "pilotage check"))
    if found.blind:
        lines.append(_reason("blind", found.blind))
    if found.unwritten:
        text = f"what stands at GitHub is older than this: {found.unwritten}"
        lines.append(_reason("github", text, "pilotage check --live"))
    if found.pause is not None:
        text = f"paused by {found.pause.by}: {found.pause.reason}"
        lines.append(_reason("pause", text, f"pilotage resume {found.id}"))
    lines += [_reason(each.subject, each.text, each.next_step) for each in found.because]
    told = {each.next_step for each in found.because}
    lines += [line for line in _quarantined(found) if line["next_step"] not in told]
    return sorted(lines, key=lambda line: not line["next_step"])


def of_promotion(found: Promotion, of: Target | None) -> list[Shown]:
    """Why a promotion stands where it stands; while it is on its way, all that its target says."""
    lines = _own_reasons(found)
    if of is None:
        return lines
    if found.id not in {each.id for each in (of.proposal, of.release) if each}:
        return [*lines, *_quarantined(of, found.versions)]
    more = of_target(of)
    texts = [str(line["text"]) for line in more]
    own = [line for line in lines if not any(text in str(line["text"]) for text in texts)]
    return [*own, *more]


def _quarantined(found: Target, versions: Sequence[tuple[str, str]] | None = None) -> list[Shown]:
    """Each entry, or only those of some (service, version), with the command that lifts it."""
    lines = []
    for entry in found.quarantine:
        if versions is None or any(entry.means(*each) for each in versions):
            text = f"{cut(entry.version)} is in quarantine by {entry.by}: {entry.reason}"
            lift = found.lifting(entry.service, entry.version)
            lines.append(_reason(entry.service, text, lift))
    return lines


def _own_reasons(found: Promotion) -> list[Shown]:
    lines: list[Shown] = []
    if found.hold is not None:
        text = f"held by {found.hold.by}: {found.hold.reason}"
        lines.append(_reason("held", text, found.hold.next_step))
    match found.state:
        case State.OPEN if found.ready:
            lines.append(_reason("gates", found.ready))
        case State.OPEN if found.ready is not None:
            lines.append(_reason("gates", "every gate passes", "merge the pull request"))
        case _ if found.conclusion:
            lines.append(_reason("ended", found.conclusion))
        case _:
            pass
    for service, reason in found.reasons.items():
        if reason not in found.conclusion:
            lines.append(_reason(service, reason))
    for each in found.waiting:
        text = f"{cut(each.after)} is proven and waits, because a person has touched this set"
        lines.append(_reason(each.service, text, "/pilotage roll"))
    return lines


def _reason(subject: str, text: str, next_step: str = "") -> Shown:
    return {"subject": subject, "text": text, "next_step": next_step}
