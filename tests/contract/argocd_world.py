"""A configuration repository and an Argo CD over it, on a clock that the test moves."""

import json
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pilotage.sandbox.argocd import (
    SYRF_CHART,
    Account,
    ApplicationSet,
    ArgoCD,
    ManualClock,
    Source,
    Timings,
)

RECORDINGS = Path(__file__).parent / "recordings" / "argocd"
CONFIG_URL = "http://127.0.0.1:13000/cluster-gitops.git"
CHARTS_URL = "http://127.0.0.1:13000/charts.git"
Json = dict[str, Any]
Step = tuple[Any, Any, Any, Any, Any]
NEVER = 1e9


def recording(name: str) -> Json:
    """One recorded answer or timeline."""
    loaded: Json = json.loads((RECORDINGS / f"{name}.json").read_text())
    return loaded


def values(version: str, **more: Any) -> str:
    """A values file of a plain application, as YAML (which JSON is)."""
    image = {"repository": "ghcr.io/camaradesuk/syrf-api", "tag": version}
    return json.dumps({"env": "staging", "image": image, **more})


def config(service: str, environment: str, tag: str, **more: Any) -> str:
    """A SYRF config.yaml."""
    return (
        f'serviceName: {service}\nenvName: "{environment}"   # do not change\n'
        f"service:\n  enabled: true\n  chartTag: {tag}\n"
        + "".join(f"{key}: {json.dumps(value)}\n" for key, value in more.items())
    )


class Repository:
    """A bare repository that is committed to without a checkout: one process per commit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._number = 0
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)

    def commit(self, files: dict[str, str | None], message: str = "change", branch: str = "main",
               onto: str = "") -> str:  # fmt: skip
        """Write or remove files on a branch; returns the SHA. `onto` moves the branch first."""
        self._number += 1
        head = self.path / "refs" / "heads" / branch
        start = onto or (head.read_text().strip() if head.exists() else "")
        lines = [
            f"commit refs/heads/{branch}",
            f"committer Lab <lab@example.test> {1_795_000_000 + self._number} +0000",
            f"data {len(message.encode())}",
            message,
            *([f"from {start}"] if start else []),
        ]
        for path, text in files.items():
            if text is None:
                lines.append(f"D {path}")
            else:
                lines += [f"M 100644 inline {path}", f"data {len(text.encode())}", text]
        subprocess.run(
            ["git", f"--git-dir={self.path}", "fast-import", "--quiet", "--force"],
            input="\n".join(lines).encode() + b"\n",
            check=True,
        )
        return head.read_text().strip()

    def rewind(self, sha: str) -> None:
        """A force push of an older commit."""
        command = ["git", f"--git-dir={self.path}", "update-ref", "refs/heads/main", sha]
        subprocess.run(command, check=True)


@dataclass
class World:
    """Everything a test needs. `steps` are the distinct consecutive states of each application."""

    repository: Repository
    argocd: ArgoCD
    steps: dict[str, list[Step]] = field(default_factory=dict)
    documents: dict[str, list[Json]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.argocd.store.subscribe(self._changed)

    def _changed(self, _kind: str, app: Any, document: Json) -> None:
        step = step_of(document)
        self.documents.setdefault(app.name, []).append(document)
        steps = self.steps.setdefault(app.name, [])
        if not steps or steps[-1] != step:
            steps.append(step)

    def commit(self, files: dict[str, str | None], message: str = "change", **more: Any) -> str:
        return self.repository.commit(files, message, **more)

    def refresh(self, name: str, then: float = 0.0) -> None:
        self.argocd.refresh(name)
        self.argocd.advance(then)

    def state(self, name: str) -> Step:
        return step_of(self.argocd.document(name))

    def plain(self, name: str = "api-staging", **more: Any) -> None:
        """A plain Helm-like application, fed by `helm-values/staging.yaml`."""
        source = Source(
            CONFIG_URL,
            path="charts/svc",
            value_files=("../../helm-values/staging.yaml",),
            release_name="api",
        )
        self.argocd.add_application(name, "syrf-staging", sources=[source], **more)
        self.begin(name)

    def set(self) -> None:
        """The ApplicationSet over every `config.yaml`."""
        self.argocd.add_application_set(
            ApplicationSet("syrf-set", CONFIG_URL, CHARTS_URL, chart=SYRF_CHART)
        )
        for name in self.argocd.names:
            self.begin(name)

    def begin(self, name: str) -> None:
        """Forget how it was born."""
        self.steps[name] = [self.state(name)]
        self.documents[name] = [self.argocd.document(name)]


def step_of(document: Json) -> Step:
    """[sync, revision, health, phase, result's revision], as the recordings write it."""
    status = document["status"]
    operation = status.get("operationState", {})
    result = operation.get("syncResult", {})
    return (
        status["sync"]["status"],
        _joined(status["sync"].get("revisions") or status["sync"].get("revision")),
        status["health"].get("status"),
        operation.get("phase"),
        _joined(result.get("revisions") or result.get("revision") or None),
    )


def _joined(revision: Any) -> Any:
    return tuple(revision) if isinstance(revision, list) else revision


def make_world(
    folder: Path, timings: Timings | None = None, accounts: tuple[Account, ...] | None = None
) -> World:
    """A world whose durations are the recorded ones, and in which nothing is polled."""
    folder.mkdir(exist_ok=True)
    repository = Repository(folder / "cluster-gitops.git")
    repository.commit({"README.md": "configuration\n", "helm-values/staging.yaml": values("1.0.0")})
    timings = timings or quiet(Timings.real())
    argocd = ArgoCD({CONFIG_URL: repository.path}, timings, clock=ManualClock(), accounts=accounts)
    return World(repository, argocd)


def quiet(timings: Timings) -> Timings:
    """The same without natural polling."""
    return replace(timings, polling=NEVER, applicationset_polling=NEVER)
