"""The parts of an image reference: `registry:5000/repo/name:tag@sha256:...`."""

import re
from dataclasses import dataclass, replace

from pilotage.edit.refused import EditRefused

# The grammar of github.com/distribution/reference, on which every registry and runtime relies.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,}"
_IMAGE = re.compile(
    rf"(?P<repository>(?:{_HOST}/)?{_PART}(?:/{_PART})*)(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?"
)
_CODES = {"sha256": 64, "sha384": 96, "sha512": 128}
"""The length of the code of each algorithm; registries take it in lower case only."""
LONGEST = 1024


@dataclass(frozen=True, slots=True)
class Image:
    """An image reference. `repository` has the registry, with its port, and the name."""

    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{self.repository}{tag}{digest}"


def parse(text: str) -> Image:
    """The parts of `text`; putting them together again gives `text`. Raises EditRefused."""
    found = _IMAGE.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        raise EditRefused(f"{text[:80]!r} is not an image reference (registry/name:tag@digest)")
    _check_digest(found["digest"])
    return Image(found["repository"], found["tag"], found["digest"])


def replace_tag(text: str, tag: str, *, digest: str | None = None) -> str:
    """`text` with another tag.

    A digest wins over a tag when an image is pulled, so the old one never stays behind a new tag:
    `digest` takes its place, and without `digest` it is dropped. If the tag is the same and no
    digest is given, nothing changes. Raises EditRefused for what is no image, tag or digest.
    """
    image = parse(text)
    if not re.fullmatch(_TAG, tag):
        raise EditRefused(f"{tag[:80]!r} is not a tag")
    if digest is None:
        return text if tag == image.tag else str(replace(image, tag=tag, digest=None))
    _check(digest)
    return str(replace(image, tag=tag, digest=digest))


def replace_digest(text: str, digest: str) -> str:
    """`text` with another digest.

    A tag that stands before it would name another build than the digest, so it is dropped unless
    the digest is the same. Give both to `replace_tag` to keep a tag. Raises EditRefused.
    """
    image = parse(text)
    _check(digest)
    return text if digest == image.digest else str(replace(image, tag=None, digest=digest))


def _check(digest: str) -> None:
    if not re.fullmatch(_DIGEST, digest):
        raise EditRefused(f"{digest[:80]!r} is not a digest")
    _check_digest(digest)


def _check_digest(digest: str | None) -> None:
    algorithm, _, code = (digest or "").partition(":")
    if algorithm in _CODES and len(code) != _CODES[algorithm]:
        raise EditRefused(
            f"a digest of {algorithm} has {_CODES[algorithm]} characters, this one {len(code)}"
        )
    if algorithm in _CODES and code != code.lower():
        raise EditRefused(f"a digest of {algorithm} is written in lower case")
