"""What can be made to go wrong. Everything is off until it is switched on."""

from dataclasses import dataclass, field

from pilotage.sandbox.argocd.cluster import Failure
from pilotage.sandbox.argocd.state import Json

REPO_SERVER_REFUSES = (
    'connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:18081: '
    'connect: connection refused"'
)
GIT_REFUSES = (
    'failed to list refs: Get "{url}/info/refs?service=git-upload-pack": '
    "dial tcp 127.0.0.1:13000: connect: connection refused"
)


@dataclass(slots=True)
class Faults:
    """Times are seconds since the epoch, by the clock of the stand-in."""

    controller_down: bool = False
    repo_server_down: bool = False
    git_down: bool = False
    applicationset_down: bool = False
    self_heal_races: bool = False  # a stale look after a sync starts a second, partial one
    unreachable_until: float = 0.0  # every answer is 503, or none at all
    hang: bool = False  # while unreachable: no answer instead of 503
    server_errors: int = 0  # so many of the next answers of the API are 500
    bad_versions: dict[str, Failure] = field(default_factory=dict)  # image tag to what happens
    missing_tags: set[str] = field(default_factory=set)  # of a charts repository not served
    cannot_render: dict[str, str] = field(default_factory=dict)  # application to the message
    next_deployment: dict[str, Failure] = field(default_factory=dict)  # application to failure

    def document(self, now: float) -> Json:
        """As `GET /_sandbox/faults` shows it."""
        return {
            "controllerDown": self.controller_down,
            "repoServerDown": self.repo_server_down,
            "gitDown": self.git_down,
            "applicationSetDown": self.applicationset_down,
            "unreachableSeconds": max(0.0, round(self.unreachable_until - now, 3)),
            "hang": self.hang,
            "serverErrors": self.server_errors,
            "badVersions": {tag: str(each.reason) for tag, each in self.bad_versions.items()},
            "missingTags": sorted(self.missing_tags),
            "cannotRender": dict(self.cannot_render),
            "nextDeployment": {
                name: str(each.reason) for name, each in self.next_deployment.items()
            },
        }
