"""How the service proves who it is: the token of a machine user, or those of an App.

An App signs in twice: as itself, with its key, to find an installation and get a token for it;
then with that token, as the installation, for everything else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import assert_never

from github import Auth
from github.Requester import Requester
from pydantic import SecretStr

from pilotage.adapters.github import errors
from pilotage.adapters.github.answers import AppItself, Installation, Login, Minted, read
from pilotage.adapters.github.credentials import App, Credential, MachineUser
from pilotage.adapters.github.failures import Request
from pilotage.adapters.github.paths import repository_path, segment
from pilotage.adapters.github.transport import Transport

API_MARGIN = timedelta(minutes=5)
"""How long a token must still last to be used for an API call."""


class SignIn:
    """Each installation is found once; a token is minted when the last one is about to end."""

    def __init__(self, credential: Credential, transport: Transport) -> None:
        self.credential = credential
        self._transport = transport
        self._local = threading.local()
        self._tokens = _Tokens(self._mint, transport.clock)
        self._lock = threading.Lock()
        self._installations: dict[str, int] = {}
        self._identity: str | None = None

    def identity(self) -> str:
        """The login under which our own writes appear; asked once."""
        if self._identity is None:
            self._identity = self._ask_identity()
        return self._identity

    def token(self, scope: str, lasting: timedelta) -> SecretStr:
        """A token that is good for at least `lasting`."""
        return self._authority(scope, lasting)[1]

    def requester(self, scope: str) -> tuple[int | None, Requester]:
        """Who asks (None: the machine user), and this thread's requester for it."""
        installation, token = self._authority(scope, API_MARGIN)
        return installation, self._requester_of(installation, token)

    def forget(self, scope: str) -> None:
        """GitHub no longer accepts what was found out: find it out again."""
        with self._lock:
            gone = self._installations.get(scope.lower())
            kept = {name: held for name, held in self._installations.items() if held != gone}
            self._installations = kept
        if gone is not None:
            self._tokens.forget(gone)

    def installation(self, scope: str) -> Installation:
        """The App's installation as GitHub has it now, with its permissions."""
        owner = repository_path(scope) if "/" in scope else f"/orgs/{segment(scope)}"
        path, what = f"{owner}/installation", f"finding the App's installation on {scope}"
        try:
            return read(Installation, self._as_app("GET", path, what), what, f"GET {path}")
        except errors.NotFound as error:
            step = f"Install the App on {scope}, or add the repository to its installation."
            failure = errors.NotInstalled(what, error.where, "the App is not installed there", step)
        raise failure

    # ---------------------------------------------------------------------------------------

    def _authority(self, scope: str, lasting: timedelta) -> tuple[int | None, SecretStr]:
        match self.credential:
            case MachineUser(token=token):
                return None, token
            case App():
                installation = self._installation_of(scope)
                try:
                    return installation, self._tokens.get(installation, lasting)
                except errors.NotFound:
                    self.forget(scope)  # installed anew, it has another number
                installation = self._installation_of(scope)
                return installation, self._tokens.get(installation, lasting)
            case other:
                assert_never(other)

    def _installation_of(self, scope: str) -> int:
        """An App has one installation for an owner: whichever repository led to it will do when
        an organisation is asked about."""
        key = scope.lower()
        with self._lock:
            known = self._installations.get(key)
            if known is None and "/" not in key:
                held = self._installations.items()
                known = next((one for name, one in held if name.startswith(f"{key}/")), None)
        if known is None:
            known = self.installation(scope).id
            with self._lock:
                self._installations[key] = known
        return known

    def _requester_of(self, installation: int | None, token: SecretStr) -> Requester:
        mine: dict[int | None, tuple[SecretStr, Requester]]
        mine = self._local.__dict__.setdefault("requesters", {})
        held = mine.get(installation)
        if held is None or held[0] != token:
            made = self._transport.requester(Auth.Token(token.get_secret_value()))
            held = mine[installation] = token, made
        return held[1]

    def _ask_identity(self) -> str:
        what = "asking who we are"
        match self.credential:
            case App():
                body = self._as_app("GET", "/app", what)
                return f"{read(AppItself, body, what, 'GET /app').slug}[bot]"
            case MachineUser(token=token):
                requester = self._requester_of(None, token)
                request = Request(what, "GET", "/user", write=False)
                body = self._transport.exchange(requester, request)[1]
                return read(Login, body, what, "GET /user").login
            case other:
                assert_never(other)

    def _as_app(self, verb: str, path: str, what: str) -> object:
        request = Request(what, verb, path, write=False)
        requester = self._transport.requester(self._signature())
        return self._transport.exchange(requester, request, authenticating=True)[1]

    def _signature(self) -> Auth.AppAuth:
        """A bad key fails here, and not inside a request."""
        assert isinstance(self.credential, App)
        try:
            auth = Auth.AppAuth(self.credential.id, self.credential.private_key.get_secret_value())
            auth.create_jwt()
        except Exception as error:  # cryptography, PyJWT and PyGithub have each their own
            why = f"the App's private key cannot sign ({type(error).__name__})"
        else:
            return auth
        step = "Give the private key as PEM, as GitHub let you download it."
        raise errors.Unauthorised(
            "signing in as the GitHub App", self._transport.base_url, why, step
        )

    def _mint(self, installation: int) -> Minted:
        path, what = (
            f"/app/installations/{installation}/access_tokens",
            "getting a token of the App",
        )
        return read(Minted, self._as_app("POST", path, what), what, f"POST {path}")


class _Tokens:
    """The tokens of installations. A lock for each keeps two threads from minting the same one."""

    def __init__(self, mint: Callable[[int], Minted], clock: Callable[[], datetime]) -> None:
        self._mint, self._clock = mint, clock
        self._lock = threading.Lock()
        self._held: dict[int, Minted] = {}
        self._minting: dict[int, threading.Lock] = {}

    def get(self, installation: int, lasting: timedelta) -> SecretStr:
        with self._lock:
            minting = self._minting.setdefault(installation, threading.Lock())
        with minting:
            held = self._held.get(installation)
            if held is None or held.expires_at - self._clock() < lasting:
                held = self._held[installation] = self._mint(installation)
            return held.token

    def forget(self, installation: int) -> None:
        self._held.pop(installation, None)
