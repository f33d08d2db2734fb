"""Checks of a mesh that runs: its processes, the key, the sandbox, the providers, the local model."""

from __future__ import annotations

import time

from mesh.cli.checks.finding import Finding, fail, ok, warn
from mesh.cli.session import Session
from mesh.cli.wording import key_remedy
from mesh.supervisor.domain.mesh_state import MeshState, ProcessEntry
from mesh.supervisor.domain.process_status import ProcessState
from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc
from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc
from protos.gen.nexus.settings.v1 import identity_pb2, identity_pb2_grpc
from shared.errors import NexusError

_TIMEOUT_S = 30.0
_TOKENS = 4


async def check_running(session: Session, mesh: MeshState) -> list[Finding]:
    """Return how the mesh is, part by part. A part that does not answer is a finding, not an error."""
    findings = [judge_process(entry) for entry in mesh.services]
    for name, check in (
        ("owner key", _check_key),
        ("isolation", _check_isolation),
        ("providers", _check_providers),
        ("local model", _check_local_model),
    ):
        try:
            findings += await check(session)
        except NexusError as error:
            findings.append(fail(name, error.message, "See the logs in the data directory's folder logs."))
    return findings


def judge_process(entry: ProcessEntry) -> Finding:
    """Judge one process by what the supervisor knows of it."""
    name = f"service {entry.name}"
    if entry.state is not ProcessState.READY:
        return fail(name, f"{entry.state} {entry.last_exit}".strip(), f"See {entry.log_file}.")
    if entry.restarts:
        detail = f"ready; started again {entry.restarts} times, the last time after: {entry.last_exit}"
        return warn(name, detail, f"See {entry.log_file}.")
    return ok(name, f"ready at {entry.tcp_address}")


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


async def _check_providers(session: Session) -> list[Finding]:
    async with session.connect("router") as link:
        stub = router_pb2_grpc.RouterServiceStub(link.channel)
        reply = await stub.ListProviders(router_pb2.ListProvidersRequest(), metadata=link.metadata, timeout=_TIMEOUT_S)
    return judge_providers(reply)


def judge_providers(reply: router_pb2.ListProvidersResponse) -> list[Finding]:
    """Judge the router's configuration and each provider in it."""
    if not reply.providers:
        return [fail("providers", reply.config_error or "none is configured", "Add one to config/providers.yaml.")]
    if reply.config_error:
        return [warn("providers", reply.config_error, "Mend the file; the configuration before it is in force.")]
    found = [judge_provider(provider) for provider in reply.providers]
    return [ok("providers", ", ".join(p.name for p in reply.providers)), *(f for f in found if f is not None)]


def judge_provider(provider: router_pb2.Provider) -> Finding | None:
    """Judge one provider; None when there is nothing to say of it."""
    name = f"provider {provider.name}"
    match provider.state:
        case router_pb2.PROVIDER_STATE_FAILING:
            detail = f"the last call failed: {provider.last_error_reason}"
            return warn(name, detail, f"Is {provider.base_url} up, and the key right?")
        case router_pb2.PROVIDER_STATE_NOT_CONFIGURED:
            return warn(name, "it has no key, so it is passed over", key_remedy(provider.name))
        case _:
            return None


async def _check_local_model(session: Session) -> list[Finding]:
    async with session.connect("router") as link:
        stub = router_pb2_grpc.RouterServiceStub(link.channel)
        models = await stub.ListModels(router_pb2.ListModelsRequest(), metadata=link.metadata, timeout=_TIMEOUT_S)
        local = next((m.name for m in models.models if m.chat and m.demonstration), "")
        if not local:
            return [ok("local model", "none is configured as a demonstration")]
        began = time.monotonic()
        hello = router_pb2.ChatMessage(role=router_pb2.ROLE_USER, content=[router_pb2.ContentPart(text="Say hello.")])
        request = router_pb2.ChatCompletionRequest(model=local, messages=[hello], max_output_tokens=_TOKENS)
        await stub.ChatCompletion(request, metadata=link.metadata, timeout=_TIMEOUT_S)
    return [ok("local model", f"{local} answers in {(time.monotonic() - began) * 1000:.0f} ms")]
