"""Why there are no manifests."""


class RenderError(Exception):
    """The manifests cannot be made; the text is what the repository server answers.

    `source` is the index of the source at fault, `unavailable` that nobody answered at all."""

    def __init__(self, message: str, source: int = 0, *, unavailable: bool = False) -> None:
        self.source = source
        self.unavailable = unavailable
        super().__init__(message)

    def rpc(self) -> str:
        """As gRPC words it for others to quote."""
        return f"rpc error: code = {'Unavailable' if self.unavailable else 'Unknown'} desc = {self}"
