from datetime import UTC, datetime

from mesh.cli.checks.gateway import check_gateway
from mesh.supervisor.domain.mesh_state import MeshPhase, MeshState, ProcessEntry
from mesh.supervisor.domain.process_status import ProcessState


def mesh(**http: str) -> MeshState:
    entries = tuple(
        ProcessEntry(name=name, state=ProcessState.READY, address="", http_address=address, log_file="")
        for name, address in http.items()
    )
    now = datetime(2026, 11, 20, tzinfo=UTC)
    return MeshState(phase=MeshPhase.READY, supervisor_pid=1, started_at=now, data_dir="/d", services=entries)


def test_each_address_is_of_the_process_that_it_is_called_after():
    both = mesh(mcp="127.0.0.1:8056", router="127.0.0.1:8055")
    assert (both.http_address, both.mcp_address) == ("127.0.0.1:8055", "127.0.0.1:8056")
    alone = mesh(router="", mcp="127.0.0.1:8056")
    assert (alone.http_address, alone.mcp_address) == ("", "127.0.0.1:8056")


async def test_what_is_switched_off_is_no_trouble():
    findings = await check_gateway(mesh(router=""))
    assert [(each.check, each.level, each.detail) for each in findings] == [
        ("http", "ok", "switched off"),
        ("mcp", "ok", "switched off"),
    ]
