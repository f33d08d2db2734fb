"""What can go wrong while isolation is built."""

from __future__ import annotations


class LaunchFailedError(Exception):
    """The isolation of a sandbox could not be built.

    Attributes:
        stage: the step that failed: `process`, `order`, `namespaces`, `root`, `privileges`, `images`, `seccomp`,
            `limits`, `landlock`, `exec`, `setup`, `canary`.
        error_number: errno of the step, 0 for none.
        detail: what else is known.
    """

    def __init__(self, stage: str, error_number: int, detail: str) -> None:
        super().__init__(f"{stage}: {detail} (errno {error_number})")
        self.stage = stage
        self.error_number = error_number
        self.detail = detail


class ZygoteDiedError(LaunchFailedError):
    """The zygote was killed before it had answered; another one may do better."""

    def __init__(self) -> None:
        super().__init__("process", 0, "the zygote has died")
