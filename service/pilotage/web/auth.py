"""Who may ask: bearer tokens and webhook signatures, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac

from fastapi import Request
from pydantic import SecretStr
from starlette.exceptions import HTTPException

_PREFIX = "sha256="


def require_bearer(request: Request, what: str, **tokens: SecretStr | None) -> None:
    """Raises 404 when none of the named settings is set, and 401 when no token of them is shown."""
    usable = [token.get_secret_value() for token in tokens.values() if token is not None]
    if not any(usable):
        names = " or ".join(f"PILOTAGE_{name.upper()}" for name in tokens)
        raise HTTPException(404, f"{what} is off: set {names} to turn it on")
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    right = scheme.lower() == "bearer" and any(
        _same(shown.strip(), token) for token in usable if token
    )
    if not right:
        raise HTTPException(
            401, f"{what} needs `Authorization: Bearer TOKEN`", {"WWW-Authenticate": "Bearer"}
        )


def _same(shown: str, wanted: str) -> bool:
    # Digests have one length: the comparison does not even tell how long the token is.
    ours, theirs = hashlib.sha256(wanted.encode()), hashlib.sha256(shown.encode(errors="replace"))
    return hmac.compare_digest(ours.digest(), theirs.digest())


def is_signed(body: bytes, signature: str, secret: SecretStr) -> bool:
    """Whether `X-Hub-Signature-256` is the HMAC-SHA256 of the raw body."""
    key = secret.get_secret_value().encode()
    if not key or not signature.startswith(_PREFIX):
        return False
    wanted = hmac.new(key, body, hashlib.sha256).hexdigest()
    shown = signature.removeprefix(_PREFIX).strip().lower()
    return hmac.compare_digest(wanted.encode(), shown.encode(errors="replace"))
