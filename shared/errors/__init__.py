"""The one error taxonomy of Nexus.

`taxonomy` has the closed set of classes, free of any driver; `grpc_status` maps them to statuses and back. Reasons
are UPPER_SNAKE_CASE and stable: programs switch on them, people read the message.
"""

from shared.errors.stacks import forget_stacks
from shared.errors.taxonomy import (
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    FieldViolation,
    Forbidden,
    Internal,
    InvalidInput,
    NexusError,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    StaleWrite,
    Unauthenticated,
    UpstreamDown,
)

__all__ = [
    "AlreadyExists",
    "Cancelled",
    "DeadlineExceeded",
    "FieldViolation",
    "Forbidden",
    "Internal",
    "InvalidInput",
    "NexusError",
    "NotFound",
    "PreconditionFailed",
    "QuotaExceeded",
    "StaleWrite",
    "Unauthenticated",
    "UpstreamDown",
    "forget_stacks",
]
