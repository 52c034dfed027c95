"""Bearer tokens, the accounts behind them, and what each account may do."""

import base64
import json
import secrets
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from pilotage.sandbox.argocd.documents import stamp


class UnauthenticatedError(Exception):
    """401, with the text that Argo CD gives."""


@dataclass(frozen=True, slots=True)
class Rule:
    """As a line of argocd-rbac-cm: `p, account, resource, action, object, allow`."""

    resource: str
    action: str
    object: str


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    rules: tuple[Rule, ...] = ()
    issued_at: float = 0.0
    token: str = field(default="", repr=False)

    def can(self, resource: str, action: str, target: str) -> bool:
        return any(
            fnmatchcase(resource, rule.resource)
            and fnmatchcase(action, rule.action)
            and fnmatchcase(target, rule.object)
            for rule in self.rules
        )

    def refusal(self, resource: str, action: str, target: str) -> str:
        return (
            f"permission denied: {resource}, {action}, {target}, sub: {self.name}, "
            f"iat: {stamp(self.issued_at)}"
        )


def applications(*actions: str, of: str = "*/*") -> tuple[Rule, ...]:
    """Rules for actions on the applications that match `project/name`."""
    return tuple(Rule("applications", action, of) for action in actions)


def default_accounts() -> tuple[Account, ...]:
    """`admin` may everything, `pilotage` get and sync, `readonly` get applications."""
    return (
        Account("admin", (Rule("*", "*", "*"),)),
        Account(
            "pilotage",
            (*applications("get", "sync"), Rule("applicationsets", "get", "*/*")),
        ),
        Account("readonly", (*applications("get"), Rule("projects", "get", "*"))),
    )


class Accounts:
    """Who a token belongs to. Accounts without a token get a new one."""

    def __init__(self, accounts: tuple[Account, ...], now: float) -> None:
        self._by_token: dict[str, Account] = {}
        self._tokens: dict[str, str] = {}
        self._ended: dict[str, str] = {}
        for account in accounts:
            self._add(account, now)

    def _add(self, account: Account, now: float) -> None:
        token = account.token or _new_token(account.name, now)
        self._by_token[token] = replace(account, token=token, issued_at=now)
        self._tokens[account.name] = token

    def token(self, name: str) -> str:
        """The bearer token of an account."""
        return self._tokens[name]

    def revoke(self, token: str) -> None:
        account = self._by_token.pop(token)
        self._ended[token] = f"account {account.name} does not have token with id {account.name}"

    def expire(self, token: str) -> None:
        del self._by_token[token]
        self._ended[token] = "token has invalid claims: token is expired"

    def authenticate(self, authorization: str) -> Account:
        """The account of an `Authorization` header. Raises UnauthenticatedError."""
        token = authorization.removeprefix("Bearer ").strip()
        if not authorization.startswith("Bearer ") or not token:
            raise UnauthenticatedError("no session information")
        if token in self._ended:
            raise UnauthenticatedError(f"invalid session: {self._ended[token]}")
        if token in self._by_token:
            return self._by_token[token]
        if token.count(".") != 2:
            raise UnauthenticatedError("no session information")
        raise UnauthenticatedError(
            "invalid session: token is unverifiable: error while executing keyfunc: "
            "token signature is invalid"
        )


def _new_token(name: str, now: float) -> str:
    """Shaped like a JSON Web Token; what counts is that nobody can guess it."""

    def part(content: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    claims: dict[str, object] = {"iss": "argocd", "sub": f"{name}:apiKey", "iat": int(now)}
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.{secrets.token_urlsafe(32)}"
