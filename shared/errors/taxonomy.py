"""The closed set of errors that a use case may raise and an RPC may end with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request that is wrong: its path, such as `limits.timeout`, and what is wrong with it."""

    field: str
    description: str


class NexusError(Exception):
    """An error with a stable reason for programs and a sentence for people that says what to do.

    Args:
        reason: UPPER_SNAKE_CASE, from the closed set of the service that raises it.
        message: one sentence for the caller. Never holds a secret, a path or a stack trace.
        metadata: further facts for programs; keys and values are short.
        violations: the fields that are wrong, for InvalidInput.
        retry_after_s: seconds after which a retry makes sense; None when it does not.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s


class InvalidInput(NexusError):
    """The request is wrong whatever the state of the system; the same request never works."""


class PreconditionFailed(NexusError):
    """The system is not in the state that the request needs; the message says how to get there."""


class Unauthenticated(NexusError):
    """Nobody knows who is calling."""


class Forbidden(NexusError):
    """The caller is known and lacks the permission."""


class NotFound(NexusError):
    """There is no such thing, or it belongs to somebody else: the two look alike on purpose."""


class AlreadyExists(NexusError):
    """The thing to make is there already, with other content."""


class StaleWrite(NexusError):
    """The etag is old: read again, then write."""


class QuotaExceeded(NexusError):
    """A limit of Nexus itself is reached; `retry_after_s` says when it makes sense to come back."""


class Cancelled(NexusError):
    """Somebody cancelled the work."""


class Internal(NexusError):
    """A defect of Nexus. The message says nothing of the inside; the log has it under the trace id."""


class UpstreamDown(NexusError):
    """Something that Nexus depends on does not answer or answers wrongly."""


class DeadlineExceeded(NexusError):
    """The caller's deadline passed first."""
