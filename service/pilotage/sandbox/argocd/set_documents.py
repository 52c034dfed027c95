"""What the API says about an ApplicationSet, with the children that it made."""

from collections.abc import Sequence

from pilotage.sandbox.argocd.applicationset import ApplicationSet
from pilotage.sandbox.argocd.documents import CONTROL_PLANE
from pilotage.sandbox.argocd.state import Application, Json


def application_set_document(
    definition: ApplicationSet, uid: str, children: Sequence[Application]
) -> Json:
    """As one entry of `GET /api/v1/applicationsets`."""
    resources = [_resource(child) for child in sorted(children, key=lambda child: child.name)]
    status: Json = {"resourcesCount": len(resources)} | (
        {"resources": resources} if resources else {}
    )
    return {
        "metadata": {"name": definition.name, "namespace": CONTROL_PLANE, "uid": uid},
        "spec": {"generators": [_generator(definition)], "template": _template(definition)},
        "status": status,
    }


def _generator(definition: ApplicationSet) -> Json:
    return {
        "git": {
            "repoURL": definition.repository,
            "revision": definition.revision,
            "files": [{"path": definition.files}],
            "template": {"metadata": {}, "spec": {"destination": {}, "project": ""}},
        }
    }


def _template(definition: ApplicationSet) -> Json:
    chart = {
        "repoURL": definition.charts,
        "path": definition.chart_path,
        "targetRevision": f"{{{{{definition.tag}}}}}",
    }
    values = {
        "repoURL": definition.repository,
        "targetRevision": definition.revision,
        "ref": "values",
    }
    return {
        "metadata": {"name": _templated(definition, definition.application)},
        "spec": {
            "destination": {"namespace": _templated(definition, definition.namespace)},
            "project": project_of(definition),
            "sources": [chart, values],
        },
    }


def project_of(definition: ApplicationSet) -> str:
    """The project as it stands in the template: what rights on the set are judged by."""
    return _templated(definition, definition.project)


def _templated(definition: ApplicationSet, text: str) -> str:
    """With the parameters that a git generator gives: the last folder, and the one above it."""
    above = definition.files.count("/") - 2
    return text.replace("{service}", "{{path.basename}}").replace(
        "{environment}", f"{{{{path[{above}]}}}}"
    )


def _resource(child: Application) -> Json:
    return {
        "group": "argoproj.io",
        "version": "v1alpha1",
        "kind": "Application",
        "name": child.name,
        "namespace": CONTROL_PLANE,
        "status": child.sync.status.value if child.sync.status else "Unknown",
    } | ({"health": {"status": child.health}} if child.health else {})
