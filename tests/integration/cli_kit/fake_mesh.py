"""A mesh that is none: the state file, the lock and the key of one, and gRPC servers that answer as a test says."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import grpc

from mesh.supervisor.adapters import data_directory, data_lock
from mesh.supervisor.domain.data_layout import DataLayout
from mesh.supervisor.domain.mesh_state import MeshPhase, MeshState, ProcessEntry
from mesh.supervisor.domain.process_status import ProcessState
from protos.gen.nexus.agent.v1 import agent_pb2, conversation_pb2
from protos.gen.nexus.artifacts.v1 import artifacts_pb2
from protos.gen.nexus.dashboard.v1 import dashboard_pb2
from protos.gen.nexus.knowledge.v1 import knowledge_pb2
from protos.gen.nexus.mcp.v1 import mcp_pb2
from protos.gen.nexus.router.v1 import contract_pb2, decision_pb2, ledger_pb2, router_pb2
from protos.gen.nexus.sandbox.v1 import sandbox_pb2
from protos.gen.nexus.settings.v1 import identity_pb2, settings_pb2
from protos.gen.nexus.tools.v1 import audit_pb2, policy_pb2, tools_pb2
from shared.errors import NexusError, NotFound, Unauthenticated
from shared.errors.grpc_status import DETAILS_KEY, code_of, status_details

KEY = "nxk_test-key-of-the-owner"
SERVED = {
    "orchestrator": (agent_pb2, conversation_pb2),
    "router": (router_pb2, contract_pb2, ledger_pb2, decision_pb2),
    "tools": (artifacts_pb2, knowledge_pb2, mcp_pb2, tools_pb2, audit_pb2, policy_pb2),
    "sandbox": (sandbox_pb2,),
    "settings": (settings_pb2, identity_pb2),
    "dashboard": (dashboard_pb2,),
}


class FakeMesh:
    """`answers` maps the name of an RPC to a function of its request, or to an error to end with."""

    def __init__(self, root):
        self.layout = DataLayout(root)
        self.answers = {}
        self.calls = []
        self._servers = {}

    def requests(self, method):
        return [request for name, request, _ in self.calls if name == method]

    def metadata(self, method):
        return next(metadata for name, _, metadata in self.calls if name == method)

    def write_state(self, phase=MeshPhase.READY, **changes):
        entries = tuple(
            ProcessEntry(
                name=name,
                state=changes.get(name, ProcessState.READY),
                address=f"unix:{self.layout.run / name}.sock",
                tcp_address="127.0.0.1:1",
                log_file=str(self.layout.logs / f"{name}.log"),
            )
            for name in SERVED
        )
        state = MeshState(
            phase=phase,
            supervisor_pid=1,
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            data_dir=str(self.layout.root),
            services=entries,
        )
        self.layout.state.write_text(state.model_dump_json())

    def serve(self, name):
        # One server for each service, so that the CLI must choose the right one.
        server = grpc.server(ThreadPoolExecutor(4))
        for module in SERVED[name]:
            for service in module.DESCRIPTOR.services_by_name.values():
                server.add_generic_rpc_handlers((self._handlers(module, service),))
        server.add_insecure_port(f"unix:{self.layout.run / name}.sock")
        server.start()
        self._servers[name] = server

    def stop(self, name):
        self._servers.pop(name).stop(None).wait()

    def stop_all(self):
        for name in list(self._servers):
            self.stop(name)

    def _handlers(self, module, service):
        handlers = {method.name: self._handler(module, method) for method in service.methods}
        return grpc.method_handlers_generic_handler(service.full_name, handlers)

    def _handler(self, module, method):
        request_type = getattr(module, method.input_type.name)
        response_type = getattr(module, method.output_type.name)

        def unary(request, context):
            return self._answer(method.name, request, context)

        def stream(request, context):
            for item in self._answer(method.name, request, context):
                if isinstance(item, NexusError):
                    fail(item, context)
                yield item

        make = grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
        behaviour = stream if method.server_streaming else unary
        return make(behaviour, request_type.FromString, response_type.SerializeToString)

    def _answer(self, name, request, context):
        metadata = dict(context.invocation_metadata())
        self.calls.append((name, request, metadata))
        if metadata.get("authorization") != f"Bearer {KEY}":
            fail(Unauthenticated("KEY_UNKNOWN", "The API key is not known or was revoked."), context)
        answer = self.answers.get(name, NotFound("NOT_SCRIPTED", f"{name} has no answer."))
        if isinstance(answer, NexusError):
            fail(answer, context)
        return answer(request)


def fail(error, context):
    context.set_trailing_metadata(((DETAILS_KEY, status_details(error, "test")),))
    context.abort(code_of(error), error.message)


@contextmanager
def fake_mesh(root):
    mesh = FakeMesh(root)
    data_directory.prepare(mesh.layout)
    mesh.layout.owner_key.write_text(f"{KEY}\n")
    with ExitStack() as stack:
        stack.enter_context(data_lock.holding(mesh.layout.lock))
        stack.callback(mesh.stop_all)
        for name in SERVED:
            mesh.serve(name)
        mesh.write_state()
        yield mesh
