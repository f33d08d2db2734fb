"""Proto to domain and back: sessions and processes."""

from __future__ import annotations

import base64
import binascii

from google.protobuf.timestamp_pb2 import Timestamp

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.long_process import LongProgram
from sandbox_service.domain.session import Session, SessionOrder
from sandbox_service.domain.workspace import Listing
from sandbox_service.servicer.convert import LANGUAGES, duration_of, limits_of, seconds_of
from sandbox_service.use_cases.execute_cell import CellOrder
from sandbox_service.use_cases.keep_processes import ProcessOrder
from shared.errors import FieldViolation, InvalidInput

_LANGUAGES = {language: number for number, language in LANGUAGES.items()}
_PAGE_SIZE = 100
_TIMES_NS = 60_000_000_000 * 1_000_000_000


def session_order_of(request: pb.CreateSessionRequest) -> SessionOrder:
    """Return the session that a valid request asks for."""
    return SessionOrder(
        LANGUAGES[request.language],
        limits_of(request.limits),
        image=request.image,
        idle_timeout_s=seconds_of(request.idle_timeout),
        egress=tuple(request.egress),
        request_id=request.request_id,
    )


def cell_order_of(request: pb.ExecuteInSessionRequest) -> CellOrder:
    """Return the cell that a valid request asks for."""
    return CellOrder(
        request.session_id, request.code, seconds_of(request.wall_time), output_paths=tuple(request.output_paths)
    )


def process_order_of(request: pb.StartProcessRequest) -> ProcessOrder:
    """Return the process that a valid request asks for."""
    return ProcessOrder(
        LongProgram(tuple(request.argv), {variable.name: variable.value for variable in request.environment}),
        limits_of(request.limits),
        read_only_paths=tuple(request.read_only_paths),
        writable_paths=tuple(request.writable_paths),
        egress=tuple(request.egress),
        request_id=request.request_id,
    )


def session_of(session: Session) -> pb.Session:
    """Return the message of a session."""
    message = pb.Session(
        session_id=session.session_id,
        language=_LANGUAGES[session.language],
        image=session.image,
        image_digest=session.image_digest,
        cells=session.cells,
        busy=session.busy,
        limits=_limits(session.limits),
    )
    for field, moment in ((message.create_time, session.create_time), (message.expire_time, session.expire_time)):
        stamp = Timestamp()
        stamp.FromDatetime(moment)
        field.CopyFrom(stamp)
    return message


def page_of(sessions: list[Session], page_size: int, page_token: str) -> pb.ListSessionsResponse:
    """Return a page of sessions, which are the newest first; the token is the last one's id.

    Raises:
        InvalidInput: PAGE_TOKEN_INVALID.
    """
    size = page_size or _PAGE_SIZE
    start = 0
    if page_token:
        last = _last_of(page_token)
        places = [place for place, session in enumerate(sessions) if session.create_time.isoformat() < last]
        start = places[0] if places else len(sessions)
    page = sessions[start : start + size]
    more = start + size < len(sessions)
    token = base64.urlsafe_b64encode(page[-1].create_time.isoformat().encode()).decode() if more else ""
    return pb.ListSessionsResponse(sessions=[session_of(session) for session in page], next_page_token=token)


def _last_of(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise InvalidInput(
            "PAGE_TOKEN_INVALID",
            "The page token is not one of ListSessions. Leave it out to begin with the first page.",
            violations=[FieldViolation("page_token", "is not one of ListSessions")],
        ) from error


def listing_of(listing: Listing) -> pb.ListFilesResponse:
    """Return the message of a listing."""
    return pb.ListFilesResponse(
        files=[_entry(*file) for file in listing.files],
        truncated=listing.truncated,
    )


def _entry(path: str, size_bytes: int, changed_ns: int) -> pb.FileEntry:
    entry = pb.FileEntry(path=path, size_bytes=size_bytes)
    # A program can set any time; Timestamp holds years 1 to 9999 alone.
    if abs(changed_ns) < _TIMES_NS:
        entry.modify_time.FromNanoseconds(changed_ns)
    return entry


def _limits(limits: RunLimits) -> pb.ExecutionLimits:
    return pb.ExecutionLimits(
        wall_time=duration_of(limits.wall_time_s),
        memory_bytes=limits.memory_bytes,
        processes=limits.processes,
        output_bytes=limits.output_bytes,
    )
