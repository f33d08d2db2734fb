"""Composition root: the only place where the sandbox service is wired."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc
from sandbox_service.adapters.image_store_folder import FolderImageStore
from sandbox_service.adapters.isolation_backend_namespaces import NamespaceBackend, NamespaceOptions
from sandbox_service.adapters.isolation_backend_oci import OciBackend, OciOptions
from sandbox_service.adapters.isolation_policy_grpc import GrpcIsolationPolicy
from sandbox_service.adapters.namespaces.nursery import NurseryOptions
from sandbox_service.ports.image_store import ImageStore
from sandbox_service.ports.isolation_backend import IsolationBackend
from sandbox_service.ports.isolation_policy import IsolationPolicy
from sandbox_service.servicer.sandbox import SandboxServicer, UseCases
from sandbox_service.settings import Settings
from sandbox_service.use_cases.admit_run import AdmitRun
from sandbox_service.use_cases.choose_backend import ChooseBackend
from sandbox_service.use_cases.collect_files import CollectFiles
from sandbox_service.use_cases.execute_cell import ExecuteCell
from sandbox_service.use_cases.execute_program import ExecuteProgram, Parts
from sandbox_service.use_cases.keep_processes import KeepProcesses, ProcessRules
from sandbox_service.use_cases.keep_sessions import KeepSessions, SessionRules
from sandbox_service.use_cases.open_sandbox import Host, OpenSandbox
from sandbox_service.use_cases.running import Running
from sandbox_service.use_cases.session_files import SessionFiles
from shared.server import Dependencies, Registration, Service

NAME = "sandbox"


def build(settings: Settings, deps: Dependencies) -> Service:
    """Wire the service over the namespace backend, as `settings` choose."""
    backend = NamespaceBackend(namespace_options(settings), deps.clock, deps.new_id)
    images = FolderImageStore(settings.images_dir.expanduser())
    policy = GrpcIsolationPolicy(
        deps.channel(settings.settings_address), deps.clock, max_organisations=settings.policy_organisations
    )
    stronger = (OciBackend(oci_options(settings), deps.clock, deps.new_id),) if settings.runsc else ()
    return build_over(Outside(backend, images, policy, stronger), settings, deps)


@dataclass(frozen=True, slots=True)
class Outside:
    """What the service is wired over.

    Attributes:
        backend: makes sandboxes.
        images: what they can hold.
        policy: how strongly organisations want to be isolated.
        stronger: makes sandboxes for those who want more than `backend` gives.
    """

    backend: IsolationBackend
    images: ImageStore
    policy: IsolationPolicy
    stronger: tuple[IsolationBackend, ...] = ()


def namespace_options(settings: Settings) -> NamespaceOptions:
    """Return what the operator chose for the backend."""
    return NamespaceOptions(
        workspace_bytes=settings.workspace_bytes,
        workspace_files=settings.workspace_files,
        cpu_cores=settings.cpu_cores,
        read_only_paths=settings.read_only_paths,
        hidden_paths=[settings.data_dir.resolve(), settings.mesh_key_file.resolve()],
        nursery=NurseryOptions(settings.warm_zygotes, settings.warm_zygote_idle_s),
    )


def oci_options(settings: Settings) -> OciOptions:
    """Return what the operator chose for the backend over an OCI runtime."""
    return OciOptions(
        runtime=Path(settings.runsc).expanduser().absolute(),
        folder=settings.data_dir.resolve() / "containers",
        workspace_bytes=settings.workspace_bytes,
        workspace_files=settings.workspace_files,
        cpu_cores=settings.cpu_cores,
        read_only_paths=settings.read_only_paths,
        hidden_paths=[settings.data_dir.resolve(), settings.mesh_key_file.resolve()],
    )


def _use_cases(outside: Outside, settings: Settings, deps: Dependencies) -> UseCases:
    images = outside.images
    choose = ChooseBackend((outside.backend, *outside.stronger), deps.clock)
    host = Host(choose, images, settings.egress_allow_list(), outside.policy)
    policy = settings.limit_policy()
    running, collect = Running(), CollectFiles(settings.output_files_bytes)
    sessions = KeepSessions(
        OpenSandbox(host, AdmitRun(settings.session_places())),
        images,
        SessionRules(policy, settings.session_idle_timeout_s),
        deps.clock,
    )
    hidden = (str(settings.data_dir.resolve()), str(settings.mesh_key_file.resolve()))
    return UseCases(
        execute=ExecuteProgram(
            Parts(OpenSandbox(host, AdmitRun(settings.run_places())), running, collect, policy), deps.new_id
        ),
        execute_cell=ExecuteCell(sessions, running, collect, deps.new_id),
        running=running,
        sessions=sessions,
        files=SessionFiles(sessions),
        processes=KeepProcesses(
            OpenSandbox(host, AdmitRun(settings.process_places())),
            ProcessRules(policy, tuple(str(path) for path in settings.process_paths), hidden),
            deps.clock,
        ),
        images=images,
        backends=choose,
    )


def build_over(outside: Outside, settings: Settings, deps: Dependencies) -> Service:
    """Wire the service over any backend, images and policy."""
    use_cases = _use_cases(outside, settings, deps)

    async def probe() -> None:
        # Beside the calls, so that the mesh is ready sooner; a call that comes first waits for it.
        # Looking at the images for the first time reads many files.
        await asyncio.to_thread(outside.images.all)
        await use_cases.backends.reports()

    async def stop() -> None:
        await use_cases.sessions.stop()
        await use_cases.processes.stop()
        for backend in (outside.backend, *outside.stronger):
            await backend.close()
        await outside.policy.stop()

    return Service(
        name=NAME,
        registrations=[
            Registration(
                sandbox_pb2_grpc.add_SandboxServiceServicer_to_server,
                SandboxServicer(use_cases),
                sandbox_pb2.DESCRIPTOR.services_by_name["SandboxService"],
            )
        ],
        background=[probe, use_cases.sessions.expire, use_cases.processes.expire],
        stop=stop,
    )
