"""Cut the operations that the stand-in offers out of GitHub's published OpenAPI.

    npm pack @octokit/openapi && tar xzf octokit-openapi-*.tgz
    python tests/contract/openapi/extract.py package/generated/api.github.com.json

writes `github.json` beside this script: answers and request bodies of each operation as JSON
Schema, with the components that they refer to. Prose and examples are left out. The source is
MIT-licensed; `LICENSE` holds its notice.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

OPERATIONS = [
    "GET /user",
    "GET /users/{username}",
    "GET /rate_limit",
    "GET /app",
    "GET /app/installations",
    "GET /app/installations/{installation_id}",
    "POST /app/installations/{installation_id}/access_tokens",
    "GET /installation/repositories",
    "GET /orgs/{org}",
    "GET /orgs/{org}/members/{username}",
    "GET /orgs/{org}/teams",
    "GET /orgs/{org}/teams/{team_slug}",
    "GET /orgs/{org}/teams/{team_slug}/members",
    "GET /orgs/{org}/teams/{team_slug}/memberships/{username}",
    "GET /repos/{owner}/{repo}",
    "GET /repos/{owner}/{repo}/installation",
    "GET /repos/{owner}/{repo}/collaborators",
    "GET /repos/{owner}/{repo}/collaborators/{username}",
    "GET /repos/{owner}/{repo}/collaborators/{username}/permission",
    "GET /repos/{owner}/{repo}/branches",
    "GET /repos/{owner}/{repo}/branches/{branch}",
    "GET /repos/{owner}/{repo}/branches/{branch}/protection",
    "GET /repos/{owner}/{repo}/rules/branches/{branch}",
    "GET /repos/{owner}/{repo}/rulesets/{ruleset_id}",
    "GET /repos/{owner}/{repo}/git/ref/{ref}",
    "GET /repos/{owner}/{repo}/git/matching-refs/{ref}",
    "POST /repos/{owner}/{repo}/git/refs",
    "PATCH /repos/{owner}/{repo}/git/refs/{ref}",
    "DELETE /repos/{owner}/{repo}/git/refs/{ref}",
    "POST /repos/{owner}/{repo}/git/commits",
    "GET /repos/{owner}/{repo}/git/commits/{commit_sha}",
    "POST /repos/{owner}/{repo}/git/blobs",
    "GET /repos/{owner}/{repo}/git/blobs/{file_sha}",
    "POST /repos/{owner}/{repo}/git/trees",
    "GET /repos/{owner}/{repo}/git/trees/{tree_sha}",
    "GET /repos/{owner}/{repo}/commits",
    "GET /repos/{owner}/{repo}/commits/{ref}",
    "GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls",
    "GET /repos/{owner}/{repo}/commits/{ref}/status",
    "GET /repos/{owner}/{repo}/commits/{ref}/statuses",
    "GET /repos/{owner}/{repo}/commits/{ref}/check-runs",
    "GET /repos/{owner}/{repo}/compare/{basehead}",
    "GET /repos/{owner}/{repo}/contents/{path}",
    "PUT /repos/{owner}/{repo}/contents/{path}",
    "DELETE /repos/{owner}/{repo}/contents/{path}",
    "POST /repos/{owner}/{repo}/statuses/{sha}",
    "POST /repos/{owner}/{repo}/check-runs",
    "GET /repos/{owner}/{repo}/check-runs/{check_run_id}",
    "PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}",
    "GET /repos/{owner}/{repo}/deployments",
    "POST /repos/{owner}/{repo}/deployments",
    "GET /repos/{owner}/{repo}/deployments/{deployment_id}",
    "DELETE /repos/{owner}/{repo}/deployments/{deployment_id}",
    "GET /repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
    "POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
    "GET /repos/{owner}/{repo}/actions/runs",
    "GET /repos/{owner}/{repo}/actions/runs/{run_id}",
    "GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs",
    "GET /repos/{owner}/{repo}/labels",
    "POST /repos/{owner}/{repo}/labels",
    "GET /repos/{owner}/{repo}/labels/{name}",
    "GET /repos/{owner}/{repo}/issues/{issue_number}",
    "PATCH /repos/{owner}/{repo}/issues/{issue_number}",
    "GET /repos/{owner}/{repo}/issues/{issue_number}/labels",
    "POST /repos/{owner}/{repo}/issues/{issue_number}/labels",
    "PUT /repos/{owner}/{repo}/issues/{issue_number}/labels",
    "DELETE /repos/{owner}/{repo}/issues/{issue_number}/labels/{name}",
    "POST /repos/{owner}/{repo}/issues/{issue_number}/assignees",
    "DELETE /repos/{owner}/{repo}/issues/{issue_number}/assignees",
    "GET /repos/{owner}/{repo}/issues/{issue_number}/comments",
    "POST /repos/{owner}/{repo}/issues/{issue_number}/comments",
    "GET /repos/{owner}/{repo}/issues/comments/{comment_id}",
    "PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}",
    "DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}",
    "GET /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions",
    "POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions",
    "DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions/{reaction_id}",
    "GET /repos/{owner}/{repo}/pulls",
    "POST /repos/{owner}/{repo}/pulls",
    "GET /repos/{owner}/{repo}/pulls/{pull_number}",
    "PATCH /repos/{owner}/{repo}/pulls/{pull_number}",
    "GET /repos/{owner}/{repo}/pulls/{pull_number}/merge",
    "PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge",
    "PUT /repos/{owner}/{repo}/pulls/{pull_number}/update-branch",
    "GET /repos/{owner}/{repo}/pulls/{pull_number}/files",
    "GET /repos/{owner}/{repo}/pulls/{pull_number}/commits",
    "GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews",
    "POST /repos/{owner}/{repo}/pulls/{pull_number}/reviews",
    "GET /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
    "POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
    "DELETE /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
]

_KEPT = {
    "$ref", "type", "properties", "required", "items", "enum", "allOf", "anyOf", "oneOf",
    "additionalProperties", "maxLength", "minLength", "maximum", "minimum", "maxItems", "minItems",
}  # fmt: skip


def as_json_schema(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema. `oneOf` becomes `anyOf`: GitHub's alternatives overlap."""
    if not isinstance(schema, dict):
        return schema
    made = {key: value for key, value in schema.items() if key in _KEPT}
    if "properties" in made:
        made["properties"] = {k: as_json_schema(v) for k, v in made["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in made:
            made[key] = as_json_schema(made[key])
    if "oneOf" in made:
        made["anyOf"] = made.pop("oneOf")
    for key in ("allOf", "anyOf"):
        if key in made:
            made[key] = [as_json_schema(part) for part in made[key]]
    return _with_null(made) if schema.get("nullable") else made


def _with_null(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
        return schema
    return {"anyOf": [schema, {"type": "null"}]} if schema else schema


def references(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        own = {schema["$ref"]} if isinstance(schema.get("$ref"), str) else set()
        return own.union(*(references(value) for value in schema.values()))
    if isinstance(schema, list):
        return set().union(*(references(value) for value in schema))
    return set()


def resolve(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def json_schema_of(part: dict[str, Any]) -> Any:
    for media_type, content in part.get("content", {}).items():
        if media_type in ("application/json", "application/scim+json"):
            return as_json_schema(content.get("schema", {}))
    return None


def extract(document: dict[str, Any]) -> dict[str, Any]:
    operations: dict[str, Any] = {}
    for line in OPERATIONS:
        method, path = line.split(" ")
        operation = document["paths"][path][method.lower()]
        answers = {
            status: json_schema_of(resolve(document, answer))
            for status, answer in operation["responses"].items()
        }
        operations[line] = {"answers": answers}
        if "requestBody" in operation:
            body = json_schema_of(resolve(document, operation["requestBody"]))
            operations[line]["body"] = body
    # Published as a user and an enterprise at once, which no account is.
    listed = operations["GET /app/installations"]["answers"]["200"]["items"]
    listed["properties"]["account"] = {"$ref": "#/components/schemas/simple-user"}
    schemas: dict[str, Any] = {}
    wanted = references(operations)
    while wanted:
        reference = wanted.pop()
        name = reference.rpartition("/")[2]
        if name not in schemas:
            schemas[name] = as_json_schema(document["components"]["schemas"][name])
            wanted |= references(schemas[name])
    return {
        "source": f"@octokit/openapi {document['info']['version']}, api.github.com.json (MIT)",
        "operations": operations,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


if __name__ == "__main__":
    published = json.loads(Path(sys.argv[1]).read_text())
    target = Path(__file__).with_name("github.json")
    target.write_text(json.dumps(extract(published), separators=(",", ":")) + "\n")
    sys.stdout.write(f"{target}: {target.stat().st_size} bytes\n")
