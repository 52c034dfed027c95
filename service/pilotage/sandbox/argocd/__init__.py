"""A stateful Argo CD on loopback: applications over real git, phases and traps as recorded.

`ArgoCD` is the whole thing; `create_app(argocd)` serves it over HTTP."""

from pilotage.sandbox.argocd.accounts import Account, Rule, applications
from pilotage.sandbox.argocd.app import create_app
from pilotage.sandbox.argocd.applicationset import ApplicationSet
from pilotage.sandbox.argocd.cluster import Failure, Reason
from pilotage.sandbox.argocd.stand_in import ArgoCD
from pilotage.sandbox.argocd.state import SYRF_CHART, Chart, Source, SyncWindow, Timings
from pilotage.sandbox.argocd.store import ManualClock

__all__ = [
    "SYRF_CHART",
    "Account",
    "ApplicationSet",
    "ArgoCD",
    "Chart",
    "Failure",
    "ManualClock",
    "Reason",
    "Rule",
    "Source",
    "SyncWindow",
    "Timings",
    "applications",
    "create_app",
]
