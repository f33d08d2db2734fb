"""AuditService and PolicyService over a real server."""

from __future__ import annotations

import grpc
import pytest
from tools_fakes import FakeAuditLog

from protos.gen.nexus.tools.v1 import audit_pb2, audit_pb2_grpc, policy_pb2, policy_pb2_grpc
from shared.ids import new_id
from shared.server import Registration, Service
from shared.testing.fakes import FakeClock
from shared.testing.harness import principal, serving
from tool_executor.domain.audit_event import AuditEvent
from tool_executor.domain.policy_file import PolicyFile
from tool_executor.domain.tool_call import CallOrigin
from tool_executor.servicer.audit_servicer import AuditServicer
from tool_executor.servicer.policy_servicer import PolicyServicer
from tool_executor.use_cases.list_audit_events import ListAuditEvents
from tool_executor.use_cases.list_policy_files import ListPolicyFiles

ORIGIN = CallOrigin("clerk", "telegram", "conversation-1", "run-1")


async def test_the_audit_is_read_in_pages_by_those_who_may_and_each_organisation_sees_its_own() -> None:
    audit = FakeAuditLog()
    for number in range(5):
        event = AuditEvent(
            new_id(), "org-a", "user-1", f"t{number}", ORIGIN, number == 2, "No.", ("platform:a",), FakeClock().now()
        )
        await audit.note(event)
    registration = Registration(
        audit_pb2_grpc.add_AuditServiceServicer_to_server,
        AuditServicer(ListAuditEvents(audit)),
        audit_pb2.DESCRIPTOR.services_by_name["AuditService"],
    )
    async with serving(Service("tools", [registration])) as served:
        reader = audit_pb2_grpc.AuditServiceStub(served.channel_as(principal(permissions=("audit.read",))))
        first = await reader.ListAuditEvents(audit_pb2.ListAuditEventsRequest(page_size=3))
        rest = await reader.ListAuditEvents(
            audit_pb2.ListAuditEventsRequest(page_size=3, page_token=first.next_page_token)
        )
        assert [event.tool for event in (*first.events, *rest.events)] == ["t4", "t3", "t2", "t1", "t0"]
        assert rest.next_page_token == ""
        shown = first.events[0]
        assert (shown.agent, shown.channel, shown.run_id, shown.user_id) == ("clerk", "telegram", "run-1", "user-1")
        assert (shown.reason, list(shown.policies)) == ("No.", ["platform:a"])
        assert shown.create_time.seconds == int(FakeClock().now().timestamp())
        refused = await reader.ListAuditEvents(audit_pb2.ListAuditEventsRequest(refused_only=True))
        assert [event.tool for event in refused.events] == ["t4", "t3", "t1", "t0"]
        stranger = audit_pb2_grpc.AuditServiceStub(served.channel_as(principal(org_id="org-b")))
        assert not (await stranger.ListAuditEvents(audit_pb2.ListAuditEventsRequest())).events
        operator = audit_pb2_grpc.AuditServiceStub(served.channel_as(principal(permissions=("tools.*",))))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await operator.ListAuditEvents(audit_pb2.ListAuditEventsRequest())
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_whoever_runs_the_installation_sees_the_policy_files_and_nobody_else() -> None:
    class Files:
        def files(self) -> list[PolicyFile]:
            return [PolicyFile("tools.cedar", ("everyday",), ""), PolicyFile("tools/acme.cedar", (), "line 3: no")]

        def name_of(self, org_id: str) -> str:
            return f"tools/{org_id}.cedar"

    registration = Registration(
        policy_pb2_grpc.add_PolicyServiceServicer_to_server,
        PolicyServicer(ListPolicyFiles(Files())),
        policy_pb2.DESCRIPTOR.services_by_name["PolicyService"],
    )
    async with serving(Service("tools", [registration])) as served:
        stub = policy_pb2_grpc.PolicyServiceStub(served.channel)
        reply = await stub.ListPolicyFiles(policy_pb2.ListPolicyFilesRequest())
        assert reply.own_file == "tools/org-a.cedar"
        assert [(file.name, list(file.policies), file.problem) for file in reply.files] == [
            ("tools.cedar", ["everyday"], ""),
            ("tools/acme.cedar", [], "line 3: no"),
        ]
        admin = policy_pb2_grpc.PolicyServiceStub(served.channel_as(principal(permissions=("tools.*", "audit.read"))))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await admin.ListPolicyFiles(policy_pb2.ListPolicyFilesRequest())
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
