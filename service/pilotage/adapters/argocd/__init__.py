"""Argo CD, over its REST API: the only place that talks to it."""

from __future__ import annotations

from pilotage.adapters.argocd.client import ArgoCD, Done, Listing, Refused, Written
from pilotage.adapters.argocd.connection import Limits, Timeouts

__all__ = ["ArgoCD", "Done", "Limits", "Listing", "Refused", "Timeouts", "Written"]
