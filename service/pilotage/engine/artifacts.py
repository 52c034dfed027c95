"""Reads and judges the files that a promotion changes; each content once for each version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pilotage.adapters.kubernetes import Schemas
from pilotage.core.artifacts import Artifact, Artifacts, Content, content, is_readable
from pilotage.core.change import ServiceChange, Write, content_id, files_of
from pilotage.core.config.policy import ArtifactRules, Policy
from pilotage.core.model import Sha
from pilotage.core.places import Refused
from pilotage.core.plan import Plan, joined, unlike
from pilotage.engine.memory import Memory
from pilotage.engine.trees import Trees

_REMEMBERED = 2_000
_PROPOSALS = 100


class Judge:
    """Remembers what it found, by content; shared by the threads that serve a repository."""

    def __init__(self) -> None:
        self._known = Memory(_REMEMBERED)
        self._proposals = Memory(_PROPOSALS)

    def artifacts(
        self,
        rules: ArtifactRules,
        before: Mapping[str, str | None],
        after: Mapping[str, str | None],
    ) -> tuple[Artifact, ...]:
        """The files by path, as they are and as they will be; None is no file.

        Raises NoSchemas.
        """
        schemas = Schemas.of(rules.kubernetes) if rules.kubernetes is not None else None

        def judged(path: str, text: str | None, by: Schemas | None) -> Content | None:
            if text is None:
                return None
            if not is_readable(path):
                return Content()
            key = content_id(text.encode()), rules.kubernetes if by is not None else None
            return self._known.once(key, lambda: by.content(text) if by else content(text))

        return tuple(
            Artifact(path, judged(path, before.get(path), None), judged(path, text, schemas))
            for path, text in sorted(after.items())
        )

    def planned(self, rules: ArtifactRules, source: str, plan: Plan) -> Artifacts:
        """What a plan would make of its files. Raises NoSchemas, and Refused for a file."""
        chosen = list(plan.services.values())
        before = {path: text for each in chosen for path, text in each.running.items()}
        files = self.artifacts(rules, before, joined(chosen))
        return Artifacts(plan.running, source, plan.source, files)

    def proposal(
        self,
        trees: Trees,
        policy: Policy,
        changes: Iterable[ServiceChange],
        *,
        base: Sha,
        head: Sha,
        source: Sha,
    ) -> Artifacts:
        """What a branch makes of the files of its changes. Raises NoSchemas and UnknownCommit."""
        chosen = tuple(changes)
        aim = policy.pipeline_name, policy.environment_name, policy.commit
        return self._proposals.once(
            (aim, base, head, source, chosen),
            lambda: self._proposal(trees, policy, chosen, base, head, source),
        )

    def _proposal(
        self,
        trees: Trees,
        policy: Policy,
        changes: tuple[ServiceChange, ...],
        base: Sha,
        head: Sha,
        source: Sha,
    ) -> Artifacts:
        rules = policy.environment.gates.artifacts
        assert rules is not None
        files = files_of(changes)
        tree = trees.tree(policy.pipeline, policy.environment_name, head)
        theirs = trees.tree(policy.pipeline, policy.source_name, source)
        different: list[tuple[str, tuple[Write, ...]]] = []
        problems = []
        for change in changes:
            try:
                writes = unlike(policy.pipeline, change.service, theirs, tree)
            except Refused as refused:
                problems.append(refused.problem)
                continue
            if writes:
                different.append((change.service, writes))
        return Artifacts(
            head=head,
            source=policy.source_name,
            source_commit=source,
            files=self.artifacts(rules, trees.texts(base, files), trees.texts(head, files)),
            unlike=tuple(different),
            problems=tuple(problems),
        )
