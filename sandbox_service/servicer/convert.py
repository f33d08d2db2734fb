"""Proto to domain and back."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from sandbox_service.domain.isolation import IsolationReport
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.outcome import Status
from sandbox_service.domain.program import Language, Program
from sandbox_service.domain.run_event import Finished, OutputChunk, RunEvent, Started, Stream

_LANGUAGES = {pb.LANGUAGE_PYTHON: Language.PYTHON}
_STATUSES = {
    Status.OK: pb.EXECUTION_STATUS_OK,
    Status.ERROR: pb.EXECUTION_STATUS_ERROR,
    Status.TIMEOUT: pb.EXECUTION_STATUS_TIMEOUT,
    Status.OUT_OF_MEMORY: pb.EXECUTION_STATUS_OUT_OF_MEMORY,
    Status.OUTPUT_LIMIT: pb.EXECUTION_STATUS_OUTPUT_LIMIT,
    Status.KILLED: pb.EXECUTION_STATUS_KILLED,
}


def program_of(request: pb.ExecuteRequest) -> Program:
    """Return the program of a valid request."""
    return Program(_LANGUAGES[request.language], request.code, request.stdin)


def limits_of(request: pb.ExecuteRequest) -> RunLimits:
    """Return the limits that the request asks for, 0 where it leaves one open."""
    limits = request.limits
    wall_time = limits.wall_time
    return RunLimits(
        wall_time_s=wall_time.seconds + wall_time.nanos / 1e9,
        memory_bytes=limits.memory_bytes,
        processes=limits.processes,
        output_bytes=limits.output_bytes,
    )


def _duration(seconds: float) -> Duration:
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
        case Finished():
            return pb.ExecuteResponse(finished=_finished(event))


def _finished(event: Finished) -> pb.ExecutionFinished:
    return pb.ExecutionFinished(
        status=_STATUSES[event.status],
        exit_code=event.exit_code,
        signal=event.signal,
        wall_time=_duration(event.wall_time_s),
        cpu_time=_duration(event.cpu_time_s),
        peak_memory_bytes=event.peak_memory_bytes,
        output_truncated=event.output_truncated,
    )


def isolation_of(report: IsolationReport) -> pb.GetIsolationResponse:
    """Return the message of a report."""
    return pb.GetIsolationResponse(
        available=report.available,
        remedy=report.remedy,
        backend=report.backend,
        layers=[
            pb.IsolationLayer(name=layer.name, enforced=layer.enforced, detail=layer.detail) for layer in report.layers
        ],
    )
