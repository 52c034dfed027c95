"""Versions that an application's own specification says, beside `targetRevision`.

An ApplicationSet, or the manifest of an app of apps, may hand a version on as a parameter of Helm
or an image of Kustomize. Argo CD compares our commit with the old parameter at once, and calls
that Synced; so the specification has to say the new version first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from pilotage import edit
from pilotage.core.application import Source
from pilotage.core.rollout.evidence import image_parts

_NAMES_A_VERSION = re.compile(r"tag|version|digest|image|revision", re.IGNORECASE)


def versions_said(source: Source) -> frozenset[str]:
    """Values whose key or parameter is called as versions are; tags and digests of images."""
    return _said(source.whole)


@lru_cache(maxsize=256)
def _said(source: str) -> frozenset[str]:
    try:
        whole = json.loads(source)
    except (ValueError, RecursionError):
        return frozenset()
    helm, kustomize = (_mapping(_mapping(whole).get(each)) for each in ("helm", "kustomize"))
    found = {
        *_leaves(helm.get("valuesObject")),
        *_parameters(helm.get("parameters")),
        *_text(helm.get("values")),
        *(("image", each) for each in _strings(kustomize.get("images"))),
    }
    values = (value for name, value in found if _NAMES_A_VERSION.search(name))
    return frozenset(part for value in values for part in _parts(value))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _strings(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _parameters(value: object) -> Iterator[tuple[str, str]]:
    for each in map(_mapping, value if isinstance(value, list) else ()):
        yield str(each.get("name", "")), str(each.get("value", ""))


def _leaves(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        yield from _text(json.dumps(value))


def _text(value: object) -> Iterator[tuple[str, str]]:
    """The values of Helm as a text; the keys above count too: `image: { name: … }`."""
    if isinstance(value, str):
        try:
            yield from ((each.path, each.value) for each in edit.scalars(value))
        except edit.EditRefused:
            return


def _parts(value: str) -> Iterator[str]:
    """The whole, and the tag, the digest and both of an image string: `r.io/api:v1@sha256:…`."""
    _, tag, digest = image_parts(value.rpartition("=")[2])
    yield from (value, tag, digest, f"{tag}@{digest}" if digest else tag)
