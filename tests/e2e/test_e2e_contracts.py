"""Every port as a stranger with a generic client finds it: reflection, health, and no entry without a key."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from protos.gen.agent import agent_pb2 as alias_pb2
from protos.gen.nexus.agent.v1 import agent_pb2, conversation_pb2
from protos.gen.nexus.artifacts.v1 import artifacts_pb2
from protos.gen.nexus.dashboard.v1 import dashboard_pb2
from protos.gen.nexus.knowledge.v1 import knowledge_pb2
from protos.gen.nexus.mcp.v1 import mcp_pb2
from protos.gen.nexus.router.v1 import contract_pb2, decision_pb2, ledger_pb2, router_pb2
from protos.gen.nexus.sandbox.v1 import sandbox_pb2
from protos.gen.nexus.settings.v1 import identity_pb2, settings_pb2
from protos.gen.nexus.tools.v1 import audit_pb2, policy_pb2, tools_pb2
from shared.testing.running_mesh import RunningMesh

BUF = Path(sys.executable).with_name("buf")
PLAIN = {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection"}
FILES = {
    "orchestrator": [agent_pb2, conversation_pb2, alias_pb2],
    "router": [router_pb2, contract_pb2, decision_pb2, ledger_pb2],
    "tools": [tools_pb2, audit_pb2, policy_pb2, artifacts_pb2, knowledge_pb2, mcp_pb2],
    "sandbox": [sandbox_pb2],
    "settings": [settings_pb2, identity_pb2],
    "dashboard": [dashboard_pb2],
}
METHODS = [
    (name, method.containing_service.full_name, method.name)
    for name, files in FILES.items()
    for file in files
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


def contracts(name: str) -> list[ServiceDescriptor]:
    return [service for file in FILES[name] for service in file.DESCRIPTOR.services_by_name.values()]


def buf_curl(mesh: RunningMesh, name: str, *arguments: str, key: bool = True) -> subprocess.CompletedProcess[str]:
    """Run `buf curl` against a service; its key goes in a header file, as a person's should."""
    headers = mesh.data.parent / "headers"
    headers.write_text(f"authorization: Bearer {mesh.owner_key()}\n" if key else "")
    *options, path = arguments
    url = f"http://{mesh.address(name)}{path}"
    command = [BUF, "curl", "--protocol", "grpc", "--http2-prior-knowledge", "-H", f"@{headers}", *options, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


async def reflected(mesh: RunningMesh, name: str) -> set[str]:
    async with grpc.aio.insecure_channel(mesh.address(name)) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(timeout=10)
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        answer = await call.read()
        await call.done_writing()
    return {service.name for service in answer.list_services_response.service}


@pytest.mark.parametrize("name", FILES)
async def test_reflection_lists_the_contracts_without_a_key(mesh: RunningMesh, name: str) -> None:
    expected = {service.full_name for service in contracts(name)}
    listed = await reflected(mesh, name)
    assert expected <= listed
    assert listed - expected <= PLAIN


@pytest.mark.parametrize("name", FILES)
async def test_health_answers_without_a_key(mesh: RunningMesh, name: str) -> None:
    async with grpc.aio.insecure_channel(mesh.address(name)) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", *(contract.full_name for contract in contracts(name))):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING, service


@pytest.mark.parametrize("credential", [None, "Bearer nxk_wrong", "Bearer eyJhbGciOiJub25lIn0.e30.", "Basic eDp5"])
@pytest.mark.parametrize(("name", "service", "method"), METHODS)
async def test_no_rpc_lets_a_stranger_in(
    mesh: RunningMesh, name: str, service: str, method: str, credential: str | None
) -> None:
    metadata = (("authorization", credential),) if credential else ()
    async with grpc.aio.insecure_channel(mesh.address(name)) as channel:
        # Every RPC takes one message; read as a stream, one reply and many are the same.
        call = channel.unary_stream(f"/{service}/{method}")(b"", metadata=metadata, timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call.read()
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("name", FILES)
def test_buf_curl_lists_methods(mesh: RunningMesh, name: str) -> None:
    done = buf_curl(mesh, name, "--list-methods", "", key=False)
    assert done.returncode == 0, done.stderr
    listed = set(done.stdout.split())
    assert {f"{service}/{method}" for owner, service, method in METHODS if owner == name} <= listed


def test_buf_curl_asks_and_watches(mesh: RunningMesh) -> None:
    asked = buf_curl(
        mesh, "orchestrator", "-d", '{"question": "What is 6*7?"}', "/nexus.agent.v1.AgentService/QueryAgent"
    )
    assert asked.returncode == 0, asked.stderr
    run = json.loads(asked.stdout)["run"]
    assert "42" in run["answer"]
    data = json.dumps({"runId": run["runId"]})
    watched = buf_curl(mesh, "orchestrator", "-d", data, "/nexus.agent.v1.AgentService/WatchRun")
    assert watched.returncode == 0, watched.stderr
    assert '"runFinished"' in watched.stdout


def test_the_alias_of_the_earlier_system_answers(mesh: RunningMesh) -> None:
    data = json.dumps({"user_query": "What is 6*7?", "debug_mode": True})
    done = buf_curl(mesh, "orchestrator", "-d", data, "/agent.AgentService/QueryAgent")
    assert done.returncode == 0, done.stderr
    reply = json.loads(done.stdout)
    assert "42" in reply["finalAnswer"]
    assert reply["sources"] == ["calculator"]
    assert json.loads(reply["debugInfo"])
    assert reply["runId"]


def test_buf_curl_names_an_unknown_field(mesh: RunningMesh) -> None:
    data = json.dumps({"question": "Hello", "colour": "blue"})
    done = buf_curl(mesh, "orchestrator", "-d", data, "/nexus.agent.v1.AgentService/QueryAgent")
    assert done.returncode != 0
    assert "colour" in done.stderr
