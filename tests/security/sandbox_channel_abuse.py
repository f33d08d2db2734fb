"""Programs that lie on every line they have, and callers who name what is not theirs."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable

from sandbox_rig import ERROR, OK, OUTPUT_LIMIT, TIMEOUT, Sandbox, refusal

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb

FRAME = "import json, os\ndef frame(m, data=b''):\n b = m if isinstance(m, bytes) else json.dumps(m).encode()\n"
FRAME += " return len(b).to_bytes(4, 'big') + b + data\n"


async def awake(work: Awaitable[object], most_s: float = 0.5) -> object:
    """Await `work` and make sure that the service, which shares this loop, kept turning meanwhile."""
    slowest_s, running = 0.0, True

    async def turn() -> None:
        nonlocal slowest_s
        while running:
            before_s = time.monotonic()
            await asyncio.sleep(0.005)
            slowest_s = max(slowest_s, time.monotonic() - before_s)

    turning = asyncio.create_task(turn())
    try:
        return await work
    finally:
        running = False
        await turning
        assert slowest_s < most_s, f"everybody waited for {slowest_s:.2f} s"


async def what_is_another_s_cannot_be_named(sandbox: Sandbox) -> None:
    others = [sandbox.of("org-elsewhere"), sandbox.of("org-a", "somebody-else")]
    async with sandbox.opened() as mine:
        await mine.write("f", b"mine")
        call = mine.start("print('up', flush=True); import time; time.sleep(20)")
        execution_id = (await call.read()).event.started.execution_id
        for other in others:
            for session_id in (mine.session_id, str(uuid.uuid4()), "0" * 8 + "-0000-4000-8000-" + "0" * 12):
                same = {"session_id": session_id}
                answers = [
                    await refusal(asked)
                    for asked in (
                        other.stub.GetSession(pb.GetSessionRequest(**same)),
                        other.stub.CloseSession(pb.CloseSessionRequest(**same)),
                        other.stub.ReadFile(pb.ReadFileRequest(**same, path="f")),
                        other.stub.WriteFile(pb.WriteFileRequest(**same, path="f", data=b"x")),
                        other.stub.ListFiles(pb.ListFilesRequest(**same)),
                        other.stub.ExecuteInSession(pb.ExecuteInSessionRequest(**same, code="1")).read(),
                    )
                ]
                assert set(answers) == {"SESSION_UNKNOWN"}, answers
            assert not (await other.stub.ListSessions(pb.ListSessionsRequest())).sessions
        named = pb.CancelExecutionRequest(execution_id=execution_id)
        assert await refusal(others[0].stub.CancelExecution(named)) == "EXECUTION_UNKNOWN"
        assert (await mine.stub.GetSession(pb.GetSessionRequest(session_id=mine.session_id))).session.busy
        call.cancel()
        for text in ("..", "../../x", "' or 1=1", "\x00", "x" * 64):
            assert (await refusal(sandbox.stub.GetSession(pb.GetSessionRequest(session_id=text)))) != "WORKED"


async def processes_of_others_cannot_be_named(sandbox: Sandbox) -> None:
    stub = sandbox.stub
    started = await stub.StartProcess(pb.StartProcessRequest(argv=["sh", "-c", "read line; echo got $line"]))
    same = {"process_id": started.process_id}
    for other in (sandbox.of("org-elsewhere"), sandbox.of("org-a", "somebody-else")):
        answers = [
            await refusal(other.stub.WriteProcess(pb.WriteProcessRequest(**same, data=b"theirs\n"))),
            await refusal(other.stub.StopProcess(pb.StopProcessRequest(**same))),
            await refusal(other.stub.WatchProcess(pb.WatchProcessRequest(**same)).read()),
        ]
        assert set(answers) == {"PROCESS_UNKNOWN"}, answers
    await stub.WriteProcess(pb.WriteProcessRequest(**same, data=b"mine\n"))
    said = [event async for event in stub.WatchProcess(pb.WatchProcessRequest(**same))]
    assert b"".join(event.stdout for event in said) == b"got mine\n"


GARBAGE = {
    "giant": "os.write(3, b'\\xff\\xff\\xff\\xff' + b'x' * 100)",
    "half": "os.write(3, b'\\x00\\x00')",
    "half a body": "os.write(3, b'\\x00\\x00\\x10\\x00{')",
    "nothing": "os.write(3, b'\\x00' * 4)",
    "no JSON": "os.write(3, frame(b'\\x80\\x04\\x95cos\\nsystem\\n'))",
    "deep": "os.write(3, frame(b'[' * 4_000))",
    "a long head": "os.write(3, frame(b'{\"op\": \"done\", \"x\": [' + b'[[]],' * 4_000 + b'0]}'))",
    "a list": "os.write(3, frame([1]))",
    "an unknown word": "os.write(3, frame({'op': 'ended', 'exit': 0, 'signal': 0, 'killed': ''}))",
    "a wrong form": "os.write(3, frame({'op': 'result', 'forms': [['text/x-evil', 1]]}, b'x'))",
    "a wrong type": "os.write(3, frame({'op': 'result', 'forms': [[['a'], 7]]}, b'1234567'))",
    "a negative size": "os.write(3, frame({'op': 'result', 'forms': [['image/png', -1]]}))",
    "a huge number": "os.write(3, frame(b'{\"op\": \"done\", \"exit_code\": ' + b'9' * 4050 + b'}'))",
    "half a character": "os.write(3, frame({'op': 'result', 'forms': [['text/plain', 1]]}, b'\\xc3'))",
    "shut": "os.close(3)",
    "shut for all": "__import__('socket').socket(fileno=3).shutdown(2)",
    "another in its place": "os.dup2(1, 3)",
}


async def garbage_on_the_channel_changes_no_status(sandbox: Sandbox) -> None:
    for name, code in GARBAGE.items():
        ran = await sandbox.run(f"{FRAME}{code}\nos._exit(7)")
        assert (ran.end.status, ran.end.exit_code) == (ERROR, 7), name
        assert not ran.results, name


async def garbage_in_a_session_ends_that_session_alone(sandbox: Sandbox) -> None:
    for name in ("giant", "no JSON", "an unknown word", "a wrong form", "shut for all"):
        async with sandbox.opened() as session:
            ran = await session.cell(f"{FRAME}{GARBAGE[name]}")
            assert ran.closed, name
            assert ran.end.status != OK, name
            assert await refusal(session.listing()) == "SESSION_UNKNOWN"


async def a_forged_end_is_of_that_cell_alone(sandbox: Sandbox) -> None:
    async with sandbox.opened() as session:
        forged = "os.write(3, frame({'op': 'done', 'status': 'ok', 'exit_code': 0, 'error': ''}))"
        ran = await session.cell(f"{FRAME}{forged}\nimport time; time.sleep(.05); raise SystemExit(3)")
        assert ran.end.status == OK  # what a program says of its own cell is all that it can lie about
        assert ran.end.signal == 0
        assert await session.read("x") == b"" if await session.write("x", b"") else True
    ran = await sandbox.run(f"{FRAME}{forged}\nraise SystemExit(3)")
    assert (ran.end.status, ran.end.exit_code) == (ERROR, 3)  # a run's end is the kernel's word


async def floods_of_results_are_cut_and_nobody_waits(sandbox: Sandbox) -> None:
    frames = {
        "empty": ({"op": "result", "forms": []}, 0),
        "of nothing": ({"op": "result", "forms": [["text/plain", 0]]}, 0),
        "small": ({"op": "result", "forms": [["text/plain", 100]]}, 100),
        "large": ({"op": "result", "forms": [["text/html", 900_000]]}, 900_000),
        "done": ({"op": "done", "status": "ok"}, 0),
    }
    for name, (head, size) in frames.items():
        count = 1 if name == "large" else 500
        flood = f"{FRAME}b = frame({json.dumps(head)}, b'x' * {size}) * {count}\nwhile True: os.write(3, b)"
        ran = await awake(sandbox.run(flood, wall_ms=150, output_bytes=100_000))
        assert ran.end.status in (TIMEOUT, OUTPUT_LIMIT), name
        assert sum(len(form.data) for result in ran.results for form in result.forms) <= 100_000, name
        assert len(ran.results) <= 400, name
        async with sandbox.opened() as session:
            ran = await awake(session.cell(flood, wall_ms=100))
            assert len(ran.results) <= 1_100, name


async def every_descriptor_is_its_own(sandbox: Sandbox) -> None:
    code = "import os, stat\nfor n in range(600):\n try: s = os.fstat(n)\n except OSError: continue\n"
    code += " print(n, stat.S_IFMT(s.st_mode) >> 12, os.readlink(f'/proc/self/fd/{n}').partition(':')[0])"
    kinds = (await sandbox.says(code)).splitlines()
    assert kinds == ["0 8 /memfd", "1 1 pipe", "2 1 pipe", "3 12 socket"], kinds
    named = "import socket\ns = socket.socket(fileno=3)\n"
    named += (
        "print(s.family == socket.AF_UNIX, s.type == socket.SOCK_STREAM, repr(s.getsockname()), repr(s.getpeername()))"
    )
    assert await sandbox.says(named) == "True True '' ''"
    # A descriptor cannot be had from the service over it either: whatever is sent along is thrown away.
    sent = f"{FRAME}import socket\ns = socket.socket(fileno=os.dup(3))\n"
    sent += "b = frame({'op': 'result', 'forms': [['text/plain', 1]]}, b'x')\n"
    sent += "for _ in range(50): socket.send_fds(s, [b], [0, 1, 2])"
    assert len((await sandbox.run(sent)).results) == 50


async def everything_written_to_every_descriptor_changes_nothing(sandbox: Sandbox) -> None:
    orders = [{"op": "start"}, {"op": "kill"}, {"re": "start"}, {"event": "ready"}, {"event": "ended", "exit": 0}]
    code = f"import os, socket\nfor order in {[json.dumps(order) for order in orders]!r}:\n for n in range(64):\n"
    code += "  for send in (os.write, lambda n, b: socket.socket(fileno=os.dup(n)).send(b)):\n"
    code += "   try: send(n, order.encode())\n   except OSError: pass\nos._exit(7)"
    ran = await sandbox.run(code)
    assert (ran.end.status, ran.end.exit_code) == (ERROR, 7)


CHANNEL_ABUSES = (
    what_is_another_s_cannot_be_named,
    processes_of_others_cannot_be_named,
    garbage_on_the_channel_changes_no_status,
    garbage_in_a_session_ends_that_session_alone,
    a_forged_end_is_of_that_cell_alone,
    floods_of_results_are_cut_and_nobody_waits,
    every_descriptor_is_its_own,
    everything_written_to_every_descriptor_changes_nothing,
)
