"""Which comparisons a promotion wants, and what it keeps of the answers.

Two fixed versions compare the same for ever: an answer is asked for once and kept with the
promotion. What could not be compared is asked for again, less and less often, and holds up nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from pilotage.core.change import ServiceChange
from pilotage.core.comparison import Answer, Compared, Comparison, NotCompared, Span, ref_of
from pilotage.core.config.policy import Policy
from pilotage.core.model import Promotion
from pilotage.core.retry import Retry, is_over
from pilotage.core.wording import listed

MOST = 20
"""Comparisons of one promotion, all asked for side by side."""
_RETRY = Retry(timedelta(minutes=1), timedelta(hours=6))


def span_of(policy: Policy, change: ServiceChange) -> Span | None:
    """None where the service's repository is not known, or a version names nothing in it."""
    source = policy.pipeline.services.get(change.service)
    if source is None or source.repository is None or not change.before:
        return None
    before = ref_of(source.tag, change.service, change.before)
    after = ref_of(source.tag, change.service, change.after)
    if not before or not after or before == after:
        return None
    return Span(source.repository, before, after)


def _spans(policy: Policy, promotion: Promotion) -> dict[tuple[str, str, str], Span]:
    """Of the set, then of the one that waits: service, before and after to what to compare."""
    spans = {}
    for change in (*promotion.changes, *promotion.waiting):
        span = span_of(policy, change)
        if span is not None:
            spans[change.service, change.before or "", change.after] = span
    return spans


def _chosen(policy: Policy, promotion: Promotion) -> dict[Span, None]:
    distinct = dict.fromkeys(_spans(policy, promotion).values())
    return dict.fromkeys(islice(distinct, MOST))


def wanted(policy: Policy, promotion: Promotion, now: datetime) -> tuple[Span, ...]:
    """What is to be asked for at this look."""
    known = {found.span: found.answer for found in promotion.comparisons}
    return tuple(span for span in _chosen(policy, promotion) if _is_due(known.get(span), now))


def _is_due(known: Answer | None, now: datetime) -> bool:
    match known:
        case None:
            return True
        case Compared():
            return False
        case NotCompared(until=until):
            return is_over(until, now, _RETRY.longest)


def remembered(
    policy: Policy, promotion: Promotion, answers: Mapping[Span, Answer], now: datetime
) -> Promotion:
    """The promotion with what is known of its set and of the one that waits."""
    known = {found.span: found.answer for found in promotion.comparisons}
    kept = {**known, **{span: _kept(known.get(span), answers[span], now) for span in answers}}
    comparisons = tuple(
        Comparison(service, before, after, span, kept[span])
        for (service, before, after), span in _spans(policy, promotion).items()
        if span in kept
    )
    return replace(promotion, comparisons=comparisons)


def _kept(known: Answer | None, answer: Answer, now: datetime) -> Answer:
    if isinstance(answer, Compared):
        return answer
    before = known.attempts if isinstance(known, NotCompared) else 0
    until = max(now + _RETRY.pause(before), answer.until or now)
    return replace(answer, attempts=before + 1, until=until)


def compared(promotion: Promotion, change: ServiceChange) -> Compared | None:
    found = promotion.comparison_of(change)
    return found.answer if found is not None and isinstance(found.answer, Compared) else None


def is_absent(promotion: Promotion, change: ServiceChange) -> bool:
    """It is known that there is nothing to see: a link would lead nowhere."""
    found = promotion.comparison_of(change)
    return found is not None and isinstance(found.answer, NotCompared) and found.answer.absent


def not_compared(policy: Policy, promotion: Promotion) -> Iterator[str]:
    """What the reviewer is not told, with the reasons."""
    for found in promotion.comparisons:
        if isinstance(found.answer, NotCompared):
            yield f"{found.service} {found.after}: {found.answer.reason}"
    chosen = _chosen(policy, promotion)
    rest = [key for key, span in _spans(policy, promotion).items() if span not in chosen]
    if rest:
        names = ", ".join(dict.fromkeys(service for service, _, _ in rest))
        yield f"{names}: no more than {MOST} comparisons are made for one pull request"


def total(promotion: Promotion) -> int | None:
    """Commits in the whole set; None unless all of them are known and lead forward."""
    counts: dict[str, int] = {}
    for change in promotion.changes:
        found = compared(promotion, change)
        if found is None or found.removed:
            return None
        counts[found.url] = found.added
    return sum(counts.values()) or None


def told(promotion: Promotion) -> Iterator[tuple[str, str]]:
    """Service and what is in its step, or why that is not known: one line each."""
    for change in promotion.changes:
        found = promotion.comparison_of(change)
        if found is None:
            continue
        match found.answer:
            case Compared(pull_requests=numbers) as answer:
                repository = found.span.repository
                named = listed((f"{repository}#{number}" for number in numbers), 10)
                text = f"{answer.text} in {repository}"
                yield change.service, f"{text}: {named}" if named else text
            case NotCompared(reason=reason):
                yield change.service, f"what is in it is not known: {reason}"
