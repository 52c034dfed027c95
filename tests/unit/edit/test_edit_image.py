"""Image references: the tag, or the digest, inside one string."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.edit import EditRefused
from pilotage.edit.image import Image, parse, replace_digest, replace_tag

OLD = "sha256:" + "a1" * 32
NEW = "sha256:" + "b2" * 32

PARSED = [
    ("nginx", Image("nginx")),
    ("nginx:1.27", Image("nginx", "1.27")),
    ("registry:5000/repo/name", Image("registry:5000/repo/name")),
    ("registry:5000/repo/name:tag", Image("registry:5000/repo/name", "tag")),
    (f"registry:5000/repo/name:tag@{OLD}", Image("registry:5000/repo/name", "tag", OLD)),
    (f"registry:5000/repo/name@{OLD}", Image("registry:5000/repo/name", None, OLD)),
    ("localhost/a__b/c.d/e--f:v1", Image("localhost/a__b/c.d/e--f", "v1")),
    ("ghcr.example/Upper.host:443/x", None),
    ("[::1]:5000/a:b", Image("[::1]:5000/a", "b")),
    ("Registry.Example/a:V1.0_x-y", Image("Registry.Example/a", "V1.0_x-y")),
    ("", None), ("a:", None), ("a:b:c", None), ("A/b/C", None), ("a b", None), ("a@sha256:12", None),  # noqa: E501
    (f"a@{OLD}0", None), ("a:.b", None), ("/a", None), ("a/", None), ("a:b\n", None), ("a//b", None),  # noqa: E501
    ("{{ .Values.image }}", None), ("a" * 2000, None), ("$(image)", None), (f"a@{OLD}@{OLD}", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "image"), PARSED)
def test_an_image_is_taken_apart(text: str, image: Image | None) -> None:
    """A port is not a tag, and what is no image reference is refused."""
    if image is None:
        with pytest.raises(EditRefused, match=r"not an image reference|characters"):
            parse(text)
    else:
        assert parse(text) == image
        assert str(parse(text)) == text


REPLACED = [
    ("reg:5000/a/b:1", "2", None, "reg:5000/a/b:2"),
    ("reg:5000/a/b", "2", None, "reg:5000/a/b:2"),
    (f"a:1@{OLD}", "2", None, "a:2"),
    (f"a:1@{OLD}", "2", NEW, f"a:2@{NEW}"),
    (f"a:1@{OLD}", "1", None, f"a:1@{OLD}"),
    (f"a:1@{OLD}", "1", NEW, f"a:1@{NEW}"),
    (f"a@{OLD}", "2", None, "a:2"),
    ("a:1", "2", NEW, f"a:2@{NEW}"),
]


@pytest.mark.parametrize(("text", "tag", "digest", "expected"), REPLACED)
def test_a_tag_is_replaced(text: str, tag: str, digest: str | None, expected: str) -> None:
    """The digest of another build never stays behind a new tag."""
    assert replace_tag(text, tag, digest=digest) == expected


@pytest.mark.parametrize(("text", "digest", "expected"), [
    (f"reg:5000/a:1@{OLD}", NEW, f"reg:5000/a@{NEW}"),
    (f"a:1@{OLD}", OLD, f"a:1@{OLD}"),
    ("a:1", NEW, f"a@{NEW}"),
    ("a", NEW, f"a@{NEW}"),
])  # fmt: skip
def test_a_digest_is_replaced(text: str, digest: str, expected: str) -> None:
    """A tag that named another build is dropped."""
    assert replace_digest(text, digest) == expected


@pytest.mark.parametrize("tag", ["", "a:b", "a b", ".a", "-a", "a" * 129, "a/b", "a@b", "a\n", "é"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    """A tag cannot smuggle in another part."""
    with pytest.raises(EditRefused, match="not a tag"):
        replace_tag("a:1", tag)


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "sha256:",
        "sha256:" + "a" * 63,
        "sha256:" + "A" * 64,
        "sha256:" + "g" * 64,
        "a" * 64,
        NEW + "\n",
    ],
)
def test_what_is_no_digest_is_refused(digest: str) -> None:
    """A digest has its algorithm and its full length."""
    with pytest.raises(EditRefused, match="digest"):
        replace_digest("a:1", digest)
    with pytest.raises(EditRefused, match="digest"):
        replace_tag("a:1", "2", digest=digest)


NAME = st.from_regex(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", fullmatch=True)
TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(st.lists(NAME, min_size=1, max_size=4), st.integers(1, 65535), TAG, TAG)
def test_a_tag_is_set_and_set_back(names: list[str], port: int, old: str, new: str) -> None:
    """Registry, port and name are never touched."""
    text = f"registry:{port}/{'/'.join(names)}:{old}"
    changed = replace_tag(text, new)
    assert parse(changed).tag == new
    assert replace_tag(changed, old) == text
