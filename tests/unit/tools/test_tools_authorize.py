"""What is let through, what is refused, and what is written down of it, over fakes."""

from __future__ import annotations

import dataclasses

import pytest
from tools_fakes import ECHO, FakeAuditLog, FakeToolPolicy, ScriptedTool, authorizing, call_context

from shared.errors import Forbidden, PreconditionFailed, UpstreamDown
from shared.ids import new_id
from shared.testing.fakes import FakeClock
from tool_executor.adapters.tool_audited import AuditedTool
from tool_executor.domain.tool_call import CallOrigin
from tool_executor.domain.tool_definition import SideEffect
from tool_executor.use_cases.note_call import NoteCall

ORIGIN = CallOrigin("clerk", "telegram", "conversation-1", "run-1")
SECRET = {"text": "hunter2"}
EFFECTS = [SideEffect.WRITE, SideEffect.EXTERNAL, SideEffect.PAYMENT]


async def test_a_blocked_call_is_refused_by_name_and_audited_without_its_arguments() -> None:
    policy, audit = FakeToolPolicy(), FakeAuditLog()
    policy.blocked["echo"] = "platform:quiet"
    with pytest.raises(Forbidden) as caught:
        await authorizing(policy, audit)(ECHO, SECRET, call_context(origin=ORIGIN))
    assert caught.value.reason == "TOOL_BLOCKED"
    assert caught.value.metadata == {"tool": "echo", "policies": "platform:quiet"}
    (event,) = audit.events
    assert (event.org_id, event.user_id, event.tool, event.origin) == ("org-a", "user-1", "echo", ORIGIN)
    assert (event.allowed, event.reason, event.policies) == (False, "It is blocked.", ("platform:quiet",))
    assert "hunter2" not in repr(event)


async def test_a_disabled_tool_stays_a_precondition_and_is_audited() -> None:
    policy, audit = FakeToolPolicy(), FakeAuditLog()
    policy.disabled["org-a"] = frozenset({"echo"})
    with pytest.raises(PreconditionFailed) as caught:
        await authorizing(policy, audit)(ECHO, SECRET, call_context())
    assert caught.value.reason == "TOOL_DISABLED"
    assert [event.allowed for event in audit.events] == [False]


def auditing(effect: SideEffect, audit: FakeAuditLog) -> tuple[ScriptedTool, AuditedTool]:
    tool = ScriptedTool(definition=dataclasses.replace(ECHO, side_effect=effect))
    return tool, AuditedTool(tool, NoteCall(audit, FakeClock(), new_id))


@pytest.mark.parametrize("effect", EFFECTS)
async def test_an_effect_is_audited_before_it_happens_and_does_not_happen_unaudited(effect: SideEffect) -> None:
    audit = FakeAuditLog()
    tool, audited = auditing(effect, audit)
    await audited.run(SECRET, call_context(origin=ORIGIN, permitted_by=("platform:a",)))
    (event,) = audit.events
    assert (event.org_id, event.user_id, event.tool, event.origin) == ("org-a", "user-1", "echo", ORIGIN)
    assert (event.allowed, event.reason, event.policies) == (True, "", ("platform:a",))
    assert "hunter2" not in repr(event)
    audit.error = UpstreamDown("STORAGE_FULL", "The disk is full.")
    with pytest.raises(UpstreamDown):
        await audited.run(SECRET, call_context())
    assert len(tool.calls) == 1


async def test_what_changes_nothing_is_not_audited() -> None:
    audit = FakeAuditLog()
    await authorizing(FakeToolPolicy(), audit)(ECHO, SECRET, call_context())
    await auditing(SideEffect.READ, audit)[1].run(SECRET, call_context())
    await auditing(SideEffect.WRITE, audit)[1].run(SECRET, call_context(dry_run=True))
    assert audit.events == []


async def test_policies_see_names_and_size_of_arguments_and_never_a_value() -> None:
    policy = FakeToolPolicy()
    await authorizing(policy)(ECHO, SECRET, call_context(origin=ORIGIN, dry_run=True))
    (question,) = policy.questions
    assert (question.origin, question.dry_run) == (ORIGIN, True)
    assert (question.arguments.names, question.arguments.size_bytes) == ({"text"}, len('{"text":"hunter2"}'))
    assert "hunter2" not in repr(question)
