"""How the stand-in says no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Refused(Exception):
    """An answer other than 2xx, in GitHub's shape: `message` and, for 422, `errors`."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: Sequence[Mapping[str, str] | str] = (),
    ) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message
        self.errors = list(errors)


def not_found() -> Refused:
    return Refused(404, "Not Found")


def invalid(resource: str, message: str, field: str = "") -> Refused:
    """422 with one custom error, as GitHub words a rule that a value breaks."""
    error = {"resource": resource, "code": "custom", "message": message}
    return Refused(422, "Validation Failed", [error | ({"field": field} if field else {})])


def invalid_field(resource: str, field: str, code: str = "invalid") -> Refused:
    """422 with a machine-readable code: `missing_field`, `invalid`, `already_exists`."""
    return Refused(422, "Validation Failed", [{"resource": resource, "field": field, "code": code}])
