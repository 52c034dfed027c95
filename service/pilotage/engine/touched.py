"""Which targets' files a set of paths belongs to."""

from __future__ import annotations

from pilotage.core.config.policy import Config
from pilotage.core.layout import layout_of


def touched_targets(config: Config, files: frozenset[str] | None) -> list[str]:
    """`pipeline/environment` of every target that one of these files belongs to, in order.

    None stands for more files than the forge lists: then every target may be touched.
    """
    found = []
    for name, pipeline in config.pipelines.items():
        for environment in pipeline.targets:
            layout = layout_of(pipeline, environment)
            if files is None or any(layout.has(path) for path in files):
                found.append(f"{name}/{environment}")
    return found
