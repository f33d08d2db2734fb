"""Checks of a mesh that runs: its processes, the key, the sandbox, the providers."""

from __future__ import annotations

from mesh.cli.checks.finding import Finding, fail, ok, warn
from mesh.cli.checks.gateway import check_gateway
from mesh.cli.checks.images import judge_image
from mesh.cli.checks.local_model import check_local_model
from mesh.cli.session import Session
from mesh.cli.troubles import Trouble, troubles_of
from mesh.supervisor.domain.mesh_state import MeshState, ProcessEntry
from mesh.supervisor.domain.process_status import ProcessState
from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc
from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc
from protos.gen.nexus.settings.v1 import identity_pb2, identity_pb2_grpc
from shared.errors import NexusError

_TIMEOUT_S = 30.0


async def check_running(session: Session, mesh: MeshState) -> list[Finding]:
    """Return how the mesh is, part by part. A part that does not answer is a finding, not an error."""
    findings = [judge_process(entry) for entry in mesh.services]
    for name, check in (
        ("owner key", _check_key),
        ("isolation", _check_isolation),
        ("images", _check_images),
        ("providers", _check_providers),
    ):
        try:
            findings += await check(session)
        except NexusError as error:
            findings.append(fail(name, error.message, "See the logs in the data directory's folder logs."))
    return [*findings, *await check_gateway(mesh), *await check_local_model(mesh, session.settings.layout)]


def judge_process(entry: ProcessEntry) -> Finding:
    """Judge one process by what the supervisor knows of it."""
    name = f"service {entry.name}"
    if entry.state is not ProcessState.READY:
        return fail(name, f"{entry.state} {entry.last_exit}".strip(), f"See {entry.log_file}.")
    if entry.restarts:
        detail = f"ready; started again {entry.restarts} times, the last time after: {entry.last_exit}"
        return warn(name, detail, f"See {entry.log_file}.")
    return ok(name, f"ready at {entry.tcp_address or entry.address}")


async def _check_key(session: Session) -> list[Finding]:
    async with session.connect("settings") as link:
        stub = identity_pb2_grpc.IdentityServiceStub(link.channel)
        reply = await stub.WhoAmI(identity_pb2.WhoAmIRequest(), metadata=link.metadata, timeout=_TIMEOUT_S)
    return [ok("owner key", f"{reply.principal.user_id} of {reply.principal.org_id}")]


async def _check_isolation(session: Session) -> list[Finding]:
    async with session.connect("sandbox") as link:
        stub = sandbox_pb2_grpc.SandboxServiceStub(link.channel)
        reply = await stub.GetIsolation(sandbox_pb2.GetIsolationRequest(), metadata=link.metadata, timeout=_TIMEOUT_S)
    return [judge_isolation(reply)]


def judge_isolation(reply: sandbox_pb2.GetIsolationResponse) -> Finding:
    """Judge the sandbox's report."""
    if not reply.available:
        return fail("isolation", "code cannot be run isolated, so it is not run", reply.remedy)
    missing = [f"{layer.name} ({layer.detail})" for layer in reply.layers if not layer.enforced]
    if missing:
        return warn("isolation", f"not enforced: {', '.join(missing)}", reply.remedy or "See the sandbox's README.")
    return ok("isolation", f"{reply.backend}: {', '.join(layer.name for layer in reply.layers)}")


async def _check_images(session: Session) -> list[Finding]:
    async with session.connect("sandbox") as link:
        stub = sandbox_pb2_grpc.SandboxServiceStub(link.channel)
        reply = await stub.ListImages(sandbox_pb2.ListImagesRequest(), metadata=link.metadata, timeout=_TIMEOUT_S)
    return [judge_image(image.name, image.remedy) for image in reply.images]


async def _check_providers(session: Session) -> list[Finding]:
    async with session.connect("router") as link:
        stub = router_pb2_grpc.RouterServiceStub(link.channel)
        reply = await stub.ListProviders(router_pb2.ListProvidersRequest(), metadata=link.metadata, timeout=_TIMEOUT_S)
    return judge_providers(reply)


def judge_providers(reply: router_pb2.ListProvidersResponse) -> list[Finding]:
    """Judge the router's configuration and each provider in it."""
    troubles = [_judge_trouble(trouble) for trouble in troubles_of(reply)]
    told = {each.name for each in reply.unusable}
    if not reply.providers:
        remedy = "See below." if troubles else "Add one to config/providers.yaml."
        return [fail("providers", "none is in force", remedy), *troubles]
    failing = [
        warn(
            f"provider {provider.name}",
            f"the last call failed: {provider.last_error_reason}",
            f"Is {provider.base_url} up, and the key right?",
        )
        for provider in reply.providers
        if provider.state == router_pb2.PROVIDER_STATE_FAILING and provider.name not in told
    ]
    return [ok("providers", ", ".join(p.name for p in reply.providers)), *failing, *troubles]


def _judge_trouble(trouble: Trouble) -> Finding:
    judge = fail if trouble.broken else warn
    return judge(trouble.subject, trouble.sentence, trouble.remedy)
