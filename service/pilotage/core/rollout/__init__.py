"""What Argo CD says in, one state of a rollout out: the decision table of ARCHITECTURE.md."""
