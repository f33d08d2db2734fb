from __future__ import annotations

import asyncio

import pytest
from sandbox_fakes import FakeBackend, FakeImages, FixedPolicy

from sandbox_service.domain.egress import AllowList
from sandbox_service.domain.limits import LimitPolicy, RunLimits
from sandbox_service.domain.order import Caller
from sandbox_service.domain.places import PlaceRules
from sandbox_service.domain.program import Language
from sandbox_service.domain.run_event import Started
from sandbox_service.domain.session import SessionOrder
from sandbox_service.use_cases import execute_cell
from sandbox_service.use_cases.admit_run import AdmitRun
from sandbox_service.use_cases.choose_backend import ChooseBackend
from sandbox_service.use_cases.collect_files import CollectFiles
from sandbox_service.use_cases.execute_cell import CellOrder, ExecuteCell
from sandbox_service.use_cases.keep_sessions import KeepSessions, SessionRules
from sandbox_service.use_cases.open_sandbox import Host, OpenSandbox
from sandbox_service.use_cases.running import Running
from shared.testing.fakes import FakeClock, SequenceIds

CALLER = Caller("org", "user")
POLICY = LimitPolicy(RunLimits(0.01, 256 << 20, 64, 1 << 18), RunLimits(60, 1 << 30, 256, 1 << 23))


def sessions_over(backend: FakeBackend) -> KeepSessions:
    host = Host(ChooseBackend((backend,), FakeClock()), FakeImages(), AllowList("LIST", ()), FixedPolicy())
    opener = OpenSandbox(host, AdmitRun(PlaceRules("sessions", 1, 1)))
    return KeepSessions(opener, FakeImages(), SessionRules(POLICY, 60.0), FakeClock())


async def test_a_reader_of_a_cell_that_never_comes_loses_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute_cell, "DELIVERY_S", 0.01)
    sessions = sessions_over(FakeBackend())
    execute = ExecuteCell(sessions, Running(), CollectFiles(100), SequenceIds("cell"))
    opened = await sessions.open(CALLER, SessionOrder(Language.PYTHON, RunLimits(0, 0, 0, 0)))
    events = execute(CALLER, CellOrder(opened.session_id, "1"), asyncio.Event())
    assert await anext(events) == (Started("cell-0001"), False)
    async with asyncio.timeout(5):
        while sessions.all(CALLER):
            await asyncio.sleep(0.005)
    # Its place is free, though the call is still there.
    await sessions.open(CALLER, SessionOrder(Language.PYTHON, RunLimits(0, 0, 0, 0)))
    await events.aclose()
    await sessions.stop()
