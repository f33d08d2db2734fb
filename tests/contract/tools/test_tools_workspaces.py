"""Workspaces of conversations over a real server with sessions in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from artifact_fakes import chunks_of
from tools_fakes import call_context
from tools_session_sandbox import OpenSession, SessionSandbox

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from shared.auth.context import acting_as
from shared.errors import NotFound, PreconditionFailed, QuotaExceeded
from shared.testing.harness import principal, serving
from tool_executor.adapters.workspaces_grpc import GrpcWorkspaces
from tool_executor.domain.code_run import CodeLanguage, CodeRun, Form, Program
from tool_executor.domain.tool_call import CallContext, CallOrigin, ToolFailure
from tool_executor.domain.workspace_file import FileEntry, FileListing


def talk(conversation_id: str, **changes: object) -> CallContext:
    return call_context(origin=CallOrigin(conversation_id=conversation_id), **changes)


def program(code: str, stdin: str = "", language: CodeLanguage = CodeLanguage.PYTHON) -> Program:
    return Program(code, stdin, wall_time_s=1.5, timeout_s=5, request_id="r1", language=language)


@pytest.fixture
def sandbox() -> SessionSandbox:
    return SessionSandbox()


@pytest.fixture
async def workspaces(sandbox: SessionSandbox) -> AsyncGenerator[GrpcWorkspaces, None]:
    async with serving(sandbox.service()) as served:
        yield GrpcWorkspaces(served.channel, wall_time_s=10, output_limit_bytes=1_000)


async def run(workspaces: GrpcWorkspaces, call: CallContext, code: str = "1") -> tuple[CodeRun, bool]:
    async with workspaces.used(call) as workspace:
        return await workspace.run(program(code)), workspace.restarted


def only(sandbox: SessionSandbox) -> OpenSession:
    (session,) = sandbox.sessions.values()
    return session


async def test_calls_of_a_conversation_share_a_session(sandbox: SessionSandbox, workspaces: GrpcWorkspaces) -> None:
    for code in ("x = 1", "x"):
        found, restarted = await run(workspaces, talk("a"), code)
        assert (found.stdout, found.shown, restarted) == (code, ((Form("text/plain", b"7"),),), False)
    session = only(sandbox)
    assert [cell.code for cell in session.cells] == ["x = 1", "x"]
    assert session.cells[0].wall_time.ToNanoseconds() == 1_500_000_000
    assert session.request.limits.wall_time.ToNanoseconds() == 10_000_000_000
    assert (session.request.image, session.request.language) == ("data", pb.LANGUAGE_PYTHON)
    await run(workspaces, talk("b"))
    assert len(sandbox.sessions) == 2


async def test_users_of_the_same_conversation_id_do_not_meet(
    sandbox: SessionSandbox, workspaces: GrpcWorkspaces
) -> None:
    for who in (principal(), principal(user_id="user-2"), principal(org_id="org-b")):
        with acting_as(who):
            await run(workspaces, talk("a", principal=who))
    assert {each.owner for each in sandbox.sessions.values()} == {
        ("org-a", "user-1"), ("org-a", "user-2"), ("org-b", "user-1")
    }  # fmt: skip


async def test_a_session_that_is_gone_is_opened_anew_and_that_is_told(
    sandbox: SessionSandbox, workspaces: GrpcWorkspaces
) -> None:
    await run(workspaces, talk("a"))
    sandbox.sessions.clear()
    assert (await run(workspaces, talk("a")))[1] is True
    assert (await run(workspaces, talk("a")))[1] is False
    assert (await run(workspaces, talk("a"), "die"))[0].session_ended
    assert (await run(workspaces, talk("a")))[1] is True


async def test_a_service_that_was_started_anew_finds_the_session(
    sandbox: SessionSandbox, workspaces: GrpcWorkspaces
) -> None:
    await run(workspaces, talk("a"))
    async with serving(sandbox.service()) as served:
        other = GrpcWorkspaces(served.channel, wall_time_s=10, output_limit_bytes=1_000)
        assert (await run(other, talk("a")))[1] is False
    assert len(only(sandbox).cells) == 2


async def test_without_the_data_image_there_is_the_base_one(
    sandbox: SessionSandbox, workspaces: GrpcWorkspaces
) -> None:
    sandbox.missing_images = {"data"}
    await run(workspaces, talk("a"))
    assert only(sandbox).request.image == "base"
    sandbox.missing_images.add("base")
    with pytest.raises(PreconditionFailed, match="not set up"):
        await run(workspaces, talk("b"))


async def test_without_a_place_the_users_oldest_session_gives_way(
    sandbox: SessionSandbox, workspaces: GrpcWorkspaces
) -> None:
    sandbox.most = 2
    for name in ("a", "b", "a", "c"):  # b has rested longest
        await run(workspaces, talk(name))
    kept = {each.request.request_id for each in sandbox.sessions.values()}
    assert kept == {"conversation:a", "conversation:c"}
    assert (await run(workspaces, talk("b")))[1] is True


async def test_sessions_in_use_and_those_of_others_stay(sandbox: SessionSandbox, workspaces: GrpcWorkspaces) -> None:
    sandbox.most = 1
    stranger = principal(user_id="user-2")
    with acting_as(stranger):
        await run(workspaces, talk("s", principal=stranger))
    async with workspaces.used(talk("a")) as workspace:
        with pytest.raises(QuotaExceeded) as caught:
            await run(workspaces, talk("b"))
        assert caught.value.reason == "SANDBOX_BUSY"
        await workspace.run(program("1"))
    assert len(sandbox.sessions) == 2


async def test_calls_of_a_conversation_go_one_after_the_other(
    sandbox: SessionSandbox, workspaces: GrpcWorkspaces
) -> None:
    async with workspaces.used(talk("a")), asyncio.TaskGroup() as group:
        second = group.create_task(run(workspaces, talk("a")))
        await run(workspaces, talk("b"))
        assert not second.done()
        second.cancel()
    assert (await run(workspaces, talk("a")))[1] is False


async def test_a_call_that_is_given_up_leaves_the_session(sandbox: SessionSandbox, workspaces: GrpcWorkspaces) -> None:
    call = asyncio.create_task(run(workspaces, talk("a"), "hang"))
    while not (sandbox.sessions and only(sandbox).cells):
        await asyncio.sleep(0.005)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(5):
        await sandbox.left.wait()
    assert (await run(workspaces, talk("a")))[1] is False


async def test_files_go_in_and_out(sandbox: SessionSandbox, workspaces: GrpcWorkspaces) -> None:
    async with workspaces.used(talk("a")) as workspace:
        assert await workspace.write("d/a.txt", chunks_of(b"one ", b"two")) == 7
        assert await workspace.write("d/a.txt", chunks_of(b"!"), append=True) == 8
        assert await workspace.write("new.txt", chunks_of(b"first"), append=True) == 5
        part = await workspace.read("d/a.txt", 4, 3)
        assert (part.data, part.size_bytes, part.media_type) == (b"two", 8, "text/plain")
        assert await workspace.write("d/a.txt", chunks_of()) == 0
        listed = await workspace.files()
        assert listed == FileListing((FileEntry("d/a.txt", 0, 5), FileEntry("new.txt", 5, 5)), truncated=True)
        with pytest.raises(NotFound):
            await workspace.read("nothing", 0, 10)


async def test_standard_input_is_for_one_call(sandbox: SessionSandbox, workspaces: GrpcWorkspaces) -> None:
    for stdin in ("", "é", "", ""):
        async with workspaces.used(talk("a")) as workspace:
            await workspace.run(program("input()", stdin))
    codes = [cell.code for cell in only(sandbox).cells]
    assert [code == "input()" for code in codes] == [True, False, True, False, True, True]
    for code, stdin in ((codes[1], "é"), (codes[3], "")):
        assert f"{{'stdin': {stdin!r}}}" in code


async def test_a_command_line_is_a_cell_too(sandbox: SessionSandbox, workspaces: GrpcWorkspaces) -> None:
    async with workspaces.used(talk("a")) as workspace:
        await workspace.run(program("echo 'a\"b'", "in", CodeLanguage.SHELL))
    (cell,) = only(sandbox).cells
    assert cell.code.endswith("{'command': 'echo \\'a\"b\\'', 'stdin': 'in'})")


async def test_without_a_conversation_there_is_no_workspace(workspaces: GrpcWorkspaces) -> None:
    with pytest.raises(ToolFailure, match="--conversation") as caught:
        await run(workspaces, call_context())
    assert caught.value.reason == "WORKSPACE_NEEDS_CONVERSATION"
