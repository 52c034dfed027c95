"""Which targets' files a set of paths belongs to."""

from __future__ import annotations

from pilotage.core.plan import Pattern
from pilotage.core.policy import Config


def touched_targets(config: Config, files: frozenset[str] | None) -> list[str]:
    """`pipeline/environment` of every target that one of these files belongs to, in order.

    None stands for more files than the forge lists: then every target may be touched.
    """
    found = []
    for name, pipeline in config.pipelines.items():
        for environment in pipeline.targets:
            pattern = Pattern(pipeline.files, environment)
            if files is None or any(pattern.service(path) is not None for path in files):
                found.append(f"{name}/{environment}")
    return found
