"""What can be wrong with a server."""


class ServerError(RuntimeError):
    """A server that the tests need cannot be used."""


class ServerMissing(ServerError):
    """A server that the tests need is not installed."""

    def __init__(self, name: str, packages: tuple[str, ...]) -> None:
        self.name = name
        self.command = f"apt-get install -y {' '.join(packages)}"
        super().__init__(f"{name} is not installed; install it with: {self.command}")


class ServerFailed(ServerError):
    """A server ended, or was not ready in time."""

    def __init__(self, name: str, what: str, log: str) -> None:
        super().__init__(f"{name} {what}; the end of its log:\n{log}")
