"""Composition root: the only place where the sandbox service is wired."""

from __future__ import annotations

from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc
from sandbox_service.adapters.isolation_backend_namespaces import NamespaceBackend, NamespaceOptions
from sandbox_service.ports.isolation_backend import IsolationBackend
from sandbox_service.servicer.sandbox import SandboxServicer
from sandbox_service.settings import Settings
from sandbox_service.use_cases.admit_run import AdmitRun
from sandbox_service.use_cases.execute_program import ExecuteProgram
from sandbox_service.use_cases.report_isolation import ReportIsolation
from shared.server import Dependencies, Registration, Service

NAME = "sandbox"


def build(settings: Settings, deps: Dependencies) -> Service:
    """Wire the service for `settings`."""
    return build_over(NamespaceBackend(namespace_options(settings), deps.clock, deps.new_id), settings, deps)


def namespace_options(settings: Settings) -> NamespaceOptions:
    """Return what the operator chose for the backend."""
    return NamespaceOptions(
        workspace_bytes=settings.workspace_bytes,
        workspace_files=settings.workspace_files,
        cpu_cores=settings.cpu_cores,
        read_only_paths=settings.read_only_paths,
        hidden_paths=[settings.data_dir.resolve(), settings.mesh_key_file.resolve()],
    )


def build_over(backend: IsolationBackend, settings: Settings, deps: Dependencies) -> Service:
    """Wire the service over any backend."""
    report = ReportIsolation(backend, deps.clock)
    admit = AdmitRun(settings.max_concurrent_runs, settings.max_waiting_runs)
    execute = ExecuteProgram(backend, report, admit, settings.limit_policy(), deps.new_id)

    async def probe() -> None:
        # Beside the calls, so that the mesh is ready sooner; a call that comes first waits for it.
        await report()

    return Service(
        name=NAME,
        registrations=[
            Registration(
                sandbox_pb2_grpc.add_SandboxServiceServicer_to_server,
                SandboxServicer(execute, report),
                sandbox_pb2.DESCRIPTOR.services_by_name["SandboxService"],
            )
        ],
        background=[probe],
        stop=backend.close,
    )
