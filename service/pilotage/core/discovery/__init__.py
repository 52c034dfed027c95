"""Which applications of Argo CD read which files of the repository."""
