"""What is let through, what is refused, and what is written down of it, over fakes."""

from __future__ import annotations

import dataclasses

import pytest
from tools_fakes import ECHO, FakeAuditLog, FakeToolPolicy, authorizing, call_context

from shared.errors import Forbidden, PreconditionFailed, UpstreamDown
from tool_executor.domain.tool_call import CallOrigin, invalid_arguments
from tool_executor.domain.tool_definition import SideEffect

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


@pytest.mark.parametrize("effect", EFFECTS)
async def test_an_effect_is_audited_before_it_happens_and_does_not_happen_unaudited(effect: SideEffect) -> None:
    policy, audit = FakeToolPolicy(), FakeAuditLog()
    definition = dataclasses.replace(ECHO, side_effect=effect)
    await authorizing(policy, audit)(definition, SECRET, call_context())
    assert [event.allowed for event in audit.events] == [True]
    audit.error = UpstreamDown("STORAGE_FULL", "The disk is full.")
    with pytest.raises(UpstreamDown):
        await authorizing(policy, audit)(definition, SECRET, call_context())


async def test_what_changes_nothing_is_not_audited() -> None:
    policy, audit = FakeToolPolicy(), FakeAuditLog()
    authorize = authorizing(policy, audit)
    write = dataclasses.replace(ECHO, side_effect=SideEffect.WRITE)
    await authorize(ECHO, SECRET, call_context())
    await authorize(write, SECRET, call_context(dry_run=True))
    await authorize(write, invalid_arguments("ARGUMENTS_MALFORMED", "No JSON."), call_context())
    assert audit.events == []


async def test_policies_see_names_and_size_of_arguments_and_never_a_value() -> None:
    policy = FakeToolPolicy()
    await authorizing(policy)(ECHO, SECRET, call_context(origin=ORIGIN, dry_run=True))
    (question,) = policy.questions
    assert (question.origin, question.dry_run) == (ORIGIN, True)
    assert (question.arguments.names, question.arguments.size_bytes) == ({"text"}, len('{"text":"hunter2"}'))
    assert "hunter2" not in repr(question)
