"""GraphQL, for the one thing that REST does not tell: who edited a body, and when.

A query is parsed and answered field by field; a field or argument that this part of GitHub's
schema does not have is an error, as it is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pilotage.sandbox.github.call import Asking, Body, Call, LockedRouter
from pilotage.sandbox.github.model import Account, BodyEdit, PullRequest, Repository
from pilotage.sandbox.github.render import Json, node, time

router = LockedRouter()

_TOKEN = re.compile(r'\s*(?:#[^\n]*|,|(\.\.\.|[{}()\[\]:!$=@]|-?\d+|"(?:[^"\\]|\\.)*"|\w+))')
_MOST_NODES = 100


class QueryError(Exception):
    """What is wrong with the query, in GitHub's words."""


@dataclass(frozen=True, slots=True)
class Field:
    alias: str
    name: str
    arguments: Mapping[str, Any]
    fields: list[Field] = field(default_factory=list)


def _tokens(query: str) -> list[str]:
    found, position = [], 0
    text = query.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            raise QueryError(f"Parse error on {text[position : position + 10]!r}")
        if match[1]:
            found.append(match[1])
        position = match.end()
    return found


class _Parser:
    """One operation: its selections, with variables put in."""

    def __init__(self, query: str, variables: Mapping[str, Any]) -> None:
        self._tokens = _tokens(query)
        self._position = 0
        self._variables = dict(variables)

    def operation(self) -> list[Field]:
        if self._peek() == "query":
            self._next()
            if self._peek() not in ("{", "("):
                self._next()
            if self._peek() == "(":
                self._declarations()
        fields = self._selections()
        if self._peek():
            raise QueryError(f"Parse error on {self._peek()!r}: one operation, please")
        return fields

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _next(self, expected: str = "") -> str:
        token = self._peek()
        if not token or (expected and token != expected):
            raise QueryError(f"Parse error on {token!r}, expected {expected or 'more'!r}")
        self._position += 1
        return token

    def _declarations(self) -> None:
        self._next("(")
        while self._peek() != ")":
            self._next("$")
            name = self._next()
            self._next(":")
            self._next()
            required = self._peek() == "!"
            if required:
                self._next()
            if self._peek() == "=":
                self._next()
                self._variables.setdefault(name, self._value())
            elif required and self._variables.get(name) is None:
                raise QueryError(f"Variable ${name} was provided invalid value")
            else:
                self._variables.setdefault(name, None)
        self._next(")")

    def _selections(self) -> list[Field]:
        self._next("{")
        found: list[Field] = []
        while self._peek() != "}":
            if self._peek() == "...":
                self._next()
                if self._peek() == "on":
                    self._next()
                    self._next()
                found += self._selections()
                continue
            name = alias = self._next()
            if self._peek() == ":":
                self._next()
                name = self._next()
            arguments = self._arguments() if self._peek() == "(" else {}
            fields = self._selections() if self._peek() == "{" else []
            found.append(Field(alias, name, arguments, fields))
        self._next("}")
        return found

    def _arguments(self) -> dict[str, Any]:
        self._next("(")
        found = {}
        while self._peek() != ")":
            name = self._next()
            self._next(":")
            found[name] = self._value()
        self._next(")")
        return found

    def _value(self) -> Any:
        word = self._next()
        if word == "$":
            name = self._next()
            if name not in self._variables:
                raise QueryError(f"Variable ${name} is used but not declared")
            return self._variables[name]
        if word.startswith('"'):
            return word[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        if re.fullmatch(r"-?\d+", word):
            return int(word)
        return {"null": None, "true": True, "false": False}.get(word, word)


class Query(Body):
    query: str
    variables: dict[str, Any] | None = None


@router.post("/graphql")
def graphql(call: Asking, asked: Query) -> Json:
    try:
        fields = _Parser(asked.query, asked.variables or {}).operation()
        return {"data": _select(fields, "Query", {"repository": lambda **a: _repository(call, a)})}
    except QueryError as error:
        return {"errors": [{"message": str(error)}]}
    except LookupError as missing:
        return {
            "data": {"repository": None},
            "errors": [{"type": "NOT_FOUND", "path": ["repository"], "message": missing.args[0]}],
        }


_Resolvers = Mapping[str, Any]


def _select(fields: list[Field], type_: str, values: _Resolvers) -> Json:
    """The chosen fields of an object. A value is plain, or a function of the arguments that
    answers (type, values), a list of them, or None."""
    answer: Json = {}
    for chosen in fields:
        if chosen.name == "__typename":
            answer[chosen.alias] = type_
            continue
        if chosen.name not in values:
            raise QueryError(f"Field '{chosen.name}' doesn't exist on type '{type_}'")
        value = values[chosen.name]
        if callable(value):
            answer[chosen.alias] = _object(chosen, value)
        elif chosen.fields or chosen.arguments:
            raise QueryError(f"Selections can't be made on scalars (field '{chosen.name}')")
        else:
            answer[chosen.alias] = value
    return answer


def _object(chosen: Field, resolve: Callable[..., Any]) -> Any:
    if not chosen.fields:
        raise QueryError(f"Field must have selections (field '{chosen.name}')")
    try:
        found = resolve(**chosen.arguments)
    except TypeError as error:
        message = f"Field '{chosen.name}' doesn't accept these arguments"
        raise QueryError(message) from error
    if found is None:
        return None
    if isinstance(found, list):
        return [_select(chosen.fields, *one) for one in found]
    return _select(chosen.fields, *found)


def _repository(call: Call, arguments: Mapping[str, Any]) -> tuple[str, _Resolvers]:
    if set(arguments) != {"owner", "name"}:
        raise QueryError("Field 'repository' is missing required arguments: owner, name")
    name = f"{arguments['owner']}/{arguments['name']}"
    repo = call.state.repositories.get(name.lower())
    if repo is None or not call.state.visible(repo, call.credential):
        raise LookupError(f"Could not resolve to a Repository with the name '{name}'.")
    return "Repository", {
        "id": node("Repository", repo.id),
        "nameWithOwner": repo.full_name,
        "pullRequest": lambda *, number: _pull(repo, number),
    }


def _pull(repo: Repository, number: Any) -> tuple[str, _Resolvers]:
    pull = repo.pulls.get(number) if isinstance(number, int) else None
    if pull is None:
        raise LookupError(f"Could not resolve to a PullRequest with the number of {number}.")
    return "PullRequest", {
        "id": node("PullRequest", pull.id),
        "number": pull.number,
        "title": pull.title,
        "body": pull.body,
        "lastEditedAt": time(pull.edits[-1].edited_at) if pull.edits else None,
        "userContentEdits": lambda **page: _edits(pull, **page),
    }


def _edits(
    pull: PullRequest, *, first: int | None = None, after: str | None = None
) -> tuple[str, _Resolvers]:
    """Newest first; `diff` is the body as the edit left it."""
    if first is None:
        raise QueryError(
            "You must provide a `first` or `last` value to properly paginate the "
            "`userContentEdits` connection."
        )
    if not 0 < first <= _MOST_NODES:
        raise QueryError(f"`first` must be between 1 and {_MOST_NODES}")
    start = int(after) if after and after.isdigit() else 0
    newest_first = list(reversed(pull.edits))
    nodes = newest_first[start : start + first]
    end = start + len(nodes)
    page = {"hasNextPage": end < len(newest_first), "endCursor": str(end) if nodes else None}
    return "UserContentEditConnection", {
        "totalCount": len(newest_first),
        "nodes": lambda: [_edit(edit) for edit in nodes],
        "pageInfo": lambda: ("PageInfo", page),
    }


def _edit(edit: BodyEdit) -> tuple[str, _Resolvers]:
    return "UserContentEdit", {
        "id": node("UserContentEdit", edit.id),
        "createdAt": time(edit.edited_at),
        "updatedAt": time(edit.edited_at),
        "editedAt": time(edit.edited_at),
        "deletedAt": None,
        "diff": edit.body,
        "editor": lambda: _actor(edit.editor),
    }


def _actor(who: Account) -> tuple[str, _Resolvers]:
    # An App's login has no "[bot]" here, unlike in REST.
    return who.type, {"login": who.login.removesuffix("[bot]")}
