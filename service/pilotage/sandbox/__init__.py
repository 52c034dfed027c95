"""A GitHub and an Argo CD to try the service on: stateful, strict, on loopback only."""
