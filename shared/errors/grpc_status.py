"""The taxonomy as gRPC statuses with google.rpc details, and back again.

Each class maps to one code. Every status carries an ErrorInfo (reason, domain `<service>.nexus`, metadata) and,
where they fit, BadRequest and RetryInfo. Source: https://google.aip.dev/193.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from shared.errors import taxonomy

_CODES: dict[type[taxonomy.NexusError], grpc.StatusCode] = {
    taxonomy.InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    taxonomy.PreconditionFailed: grpc.StatusCode.FAILED_PRECONDITION,
    taxonomy.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    taxonomy.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    taxonomy.NotFound: grpc.StatusCode.NOT_FOUND,
    taxonomy.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    taxonomy.StaleWrite: grpc.StatusCode.ABORTED,
    taxonomy.QuotaExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    taxonomy.Cancelled: grpc.StatusCode.CANCELLED,
    taxonomy.Internal: grpc.StatusCode.INTERNAL,
    taxonomy.UpstreamDown: grpc.StatusCode.UNAVAILABLE,
    taxonomy.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_CLASSES = {code: cls for cls, code in _CODES.items()}
# What gRPC itself says without our details: a peer that is not there, a message over the size limit.
_BARE_REASONS = {
    grpc.StatusCode.UNAVAILABLE: "UNREACHABLE",
    grpc.StatusCode.DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
    grpc.StatusCode.CANCELLED: "CANCELLED",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "MESSAGE_TOO_LARGE",
    grpc.StatusCode.UNIMPLEMENTED: "UNIMPLEMENTED",
}
DETAILS_KEY = "grpc-status-details-bin"
# A client drops a status whose headers are larger than 8 KiB, its reason with it. What a caller sent may stand in an
# error, so each part has its cap; the message travels twice, once in percent-encoding.
_MESSAGE_BYTES = 1200
_VALUE_BYTES = 256
_VIOLATIONS_BYTES = 800


def code_of(error: taxonomy.NexusError) -> grpc.StatusCode:
    """Return the one status code of `error`'s class."""
    return next(_CODES[cls] for cls in type(error).__mro__ if cls in _CODES)


def status_details(error: taxonomy.NexusError, service: str) -> bytes:
    """Return the serialised google.rpc.Status of `error`, raised by `service`, for the trailing metadata."""
    metadata = {key: _clipped(value, _VALUE_BYTES) for key, value in error.metadata.items()}
    details = [_packed(error_details_pb2.ErrorInfo(reason=error.reason, domain=f"{service}.nexus", metadata=metadata))]
    if error.violations:
        details.append(_packed(_bad_request(error.violations)))
    if error.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(round(error.retry_after_s * 1e9))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    number: Any = code_of(error).value[0]
    status = status_pb2.Status(code=number, message=message_of(error), details=details)
    return status.SerializeToString()


def message_of(error: taxonomy.NexusError) -> str:
    """Return the message of `error` as a status can carry it, cut where it is too long."""
    return _clipped(error.message, _MESSAGE_BYTES)


def error_from_call(error: grpc.RpcError, peer: str) -> taxonomy.NexusError:
    """Return the taxonomy error behind a failed call to the service `peer`, with its reason and details kept."""
    call: Any = error  # grpc.RpcError is also a grpc.Call, which its type does not say
    code: grpc.StatusCode = call.code()
    cls = _CLASSES.get(code, taxonomy.Internal)
    status = status_pb2.Status()
    for key, value in call.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            status.ParseFromString(value)
    if not status.details:
        reason = _BARE_REASONS.get(code, "UNKNOWN")
        message = f"The {peer} service does not answer." if reason == "UNREACHABLE" else str(call.details() or "")
        return cls(reason, message or f"The {peer} service ended the call with {code.name}.")
    info = error_details_pb2.ErrorInfo()
    violations: list[taxonomy.FieldViolation] = []
    retry_after_s: float | None = None
    for detail in status.details:
        bad_request, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            continue
        if detail.Unpack(bad_request):
            violations += [taxonomy.FieldViolation(v.field, v.description) for v in bad_request.field_violations]
        elif detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToNanoseconds() / 1e9
    return cls(
        info.reason or "UNKNOWN",
        status.message,
        metadata=info.metadata,
        violations=violations,
        retry_after_s=retry_after_s,
    )


def _bad_request(violations: Sequence[taxonomy.FieldViolation]) -> error_details_pb2.BadRequest:
    """Return the first of `violations`, as many as a status can carry."""
    found = error_details_pb2.BadRequest()
    for violation in violations:
        found.field_violations.add(
            field=_clipped(violation.field, _VALUE_BYTES), description=_clipped(violation.description, _VALUE_BYTES)
        )
        if found.ByteSize() > _VIOLATIONS_BYTES:
            break
    return found


def _clipped(text: str, most_bytes: int) -> str:
    """Return `text` in at most `most_bytes` bytes of UTF-8, with an ellipsis when it was cut."""
    raw = text.encode("utf-8", "replace")
    return raw.decode() if len(raw) <= most_bytes else raw[: most_bytes - 3].decode("utf-8", "ignore") + "\u2026"


def _packed(
    message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo,
) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
