"""Proto to domain and back: runs, cells and what comes of them."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.duration_pb2 import Duration

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from sandbox_service.domain.image import ListedImage
from sandbox_service.domain.isolation import IsolationReport
from sandbox_service.domain.isolation_level import IsolationLevel
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.order import RunOrder
from sandbox_service.domain.outcome import Status
from sandbox_service.domain.program import Language, Program
from sandbox_service.domain.run_event import (
    FilePiece,
    Finished,
    OutputChunk,
    RichOutput,
    RunEvent,
    Started,
    Stream,
)
from sandbox_service.domain.workspace import InputFile

LANGUAGES = {pb.LANGUAGE_PYTHON: Language.PYTHON, pb.LANGUAGE_SHELL: Language.SHELL}
_STATUSES = {
    Status.OK: pb.EXECUTION_STATUS_OK,
    Status.ERROR: pb.EXECUTION_STATUS_ERROR,
    Status.TIMEOUT: pb.EXECUTION_STATUS_TIMEOUT,
    Status.OUT_OF_MEMORY: pb.EXECUTION_STATUS_OUT_OF_MEMORY,
    Status.OUTPUT_LIMIT: pb.EXECUTION_STATUS_OUTPUT_LIMIT,
    Status.KILLED: pb.EXECUTION_STATUS_KILLED,
    Status.POLICY: pb.EXECUTION_STATUS_POLICY,
}

_LEVELS = {
    IsolationLevel.NAMESPACES: pb.BACKEND_LEVEL_NAMESPACES,
    IsolationLevel.USER_KERNEL: pb.BACKEND_LEVEL_USER_KERNEL,
    IsolationLevel.VIRTUAL_MACHINE: pb.BACKEND_LEVEL_VIRTUAL_MACHINE,
}


def order_of(request: pb.ExecuteRequest) -> RunOrder:
    """Return the order of a valid request."""
    return RunOrder(
        Program(LANGUAGES[request.language], request.code, request.stdin),
        limits_of(request.limits),
        image=request.image,
        files=tuple(InputFile(file.path, file.data) for file in request.files),
        output_paths=tuple(request.output_paths),
        strict=request.strict,
        egress=tuple(request.egress),
    )


def limits_of(limits: pb.ExecutionLimits) -> RunLimits:
    """Return the limits that a request asks for, 0 where it leaves one open."""
    return RunLimits(
        wall_time_s=seconds_of(limits.wall_time),
        memory_bytes=limits.memory_bytes,
        processes=limits.processes,
        output_bytes=limits.output_bytes,
    )


def seconds_of(duration: Duration) -> float:
    """Return a duration in seconds; 0 for an unset one."""
    return duration.seconds + duration.nanos / 1e9


def duration_of(seconds: float) -> Duration:
    """Return a duration of `seconds`."""
    duration = Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration


def response_of(event: RunEvent) -> pb.ExecuteResponse:
    """Return the message of an event."""
    match event:
        case Started(execution_id):
            return pb.ExecuteResponse(started=pb.ExecutionStarted(execution_id=execution_id))
        case OutputChunk(Stream.STDOUT, data):
            return pb.ExecuteResponse(stdout=data)
        case OutputChunk(_, data):
            return pb.ExecuteResponse(stderr=data)
        case RichOutput(forms):
            made = [pb.MediaData(media_type=form.media_type, data=form.data) for form in forms]
            return pb.ExecuteResponse(result=pb.RichOutput(forms=made))
        case FilePiece():
            return pb.ExecuteResponse(file=chunk_of(event))
        case Finished():
            return pb.ExecuteResponse(finished=finished_of(event))


def chunk_of(piece: FilePiece) -> pb.FileChunk:
    """Return the message of a piece of a file."""
    return pb.FileChunk(
        path=piece.path,
        size_bytes=piece.size_bytes,
        offset=piece.offset,
        data=piece.data,
        media_type=piece.media_type,
    )


def finished_of(event: Finished) -> pb.ExecutionFinished:
    """Return the message of an end."""
    return pb.ExecutionFinished(
        status=_STATUSES[event.status],
        exit_code=event.exit_code,
        signal=event.signal,
        wall_time=duration_of(event.wall_time_s),
        cpu_time=duration_of(event.cpu_time_s),
        peak_memory_bytes=event.peak_memory_bytes,
        output_truncated=event.output_truncated,
        skipped_files=[pb.SkippedFile(path=file.path, reason=file.reason) for file in event.skipped_files],
    )


def isolation_of(reports: Sequence[IsolationReport]) -> pb.GetIsolationResponse:
    """Return the message of all backends' reports, the default's first."""
    backends = [_backend_of(report) for report in reports]
    default = backends[0]
    return pb.GetIsolationResponse(
        available=default.available,
        remedy=default.remedy,
        backend=default.name,
        layers=default.layers,
        backends=backends,
    )


def _backend_of(report: IsolationReport) -> pb.BackendReport:
    return pb.BackendReport(
        name=report.backend,
        level=_LEVELS[report.level],
        available=report.available,
        remedy=report.remedy,
        layers=[
            pb.IsolationLayer(name=layer.name, enforced=layer.enforced, detail=layer.detail) for layer in report.layers
        ],
    )


def image_of(image: ListedImage) -> pb.Image:
    """Return the message of an image."""
    return pb.Image(
        name=image.name,
        digest=image.digest,
        description=image.description,
        packages=image.packages,
        available=image.is_available,
        remedy=image.remedy,
    )
