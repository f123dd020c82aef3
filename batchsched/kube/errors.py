"""What ends a process or a command: the cluster cannot be reached, or does not let us in.

Cluster reality (a conflict, a pod that left, a full queue) is a value and stands in a ``Reply``.
Here is only what nothing but a person, or a later try, can mend. The command line makes exit code 4
and one line of each.
"""


class ClusterError(Exception):
    """The live cluster could not be reached or refused."""


class UnreachableError(ClusterError):
    """No answer: the network, the server, or a time that ran out.

    Args:
        what: What was tried, as ``GET /api/v1/pods``.
        cause: Why there is no answer.
    """

    def __init__(self, what: str, cause: object) -> None:
        """Join both to one line."""
        self.what, self.cause = what, cause
        super().__init__(f"{what}: {_line(cause)}")


class UnauthorizedError(ClusterError):
    """401: the credentials are not, or not any more, valid.

    Never waited for: a process that goes on with credentials that nobody accepts looks alive and
    does nothing. A new process reads new credentials.
    """

    def __init__(self, what: str, reason: str) -> None:
        """Say what to do."""
        super().__init__(
            f"{what}: 401 {_line(reason)}; the credentials are not accepted (any more): "
            "log in again, or look at the kubeconfig or the service account"
        )


class RefusedError(ClusterError):
    """The server answered, and the answer is no.

    Args:
        what: What was tried.
        status: The HTTP status.
        reason: What the server says.
        retry_after_s: After how long it wants to be asked again, if it says so.
    """

    def __init__(
        self, what: str, status: int, reason: str, retry_after_s: float | None = None
    ) -> None:
        """Join all to one line."""
        self.what, self.status, self.reason = what, status, reason
        self.retry_after_s = retry_after_s
        super().__init__(f"{what}: {status} {_line(reason)}")


def _line(cause: object) -> str:
    """Any text on one line."""
    return " ".join(str(cause).split())
