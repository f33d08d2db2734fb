"""The tool executor's registry, limits and memories over a real database, wired as `main` does, served or not."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from artifact_fakes import MemoryArtifactStore
from tools_fakes import FakeAuditLog, FakeEmbedder, FakeToolPolicy, authorizing
from tools_store import ToolStore

from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.circuit_breaker import BreakerPolicy
from shared.clock import Clock, SystemClock
from shared.ids import new_id
from shared.server import Registration, Service
from shared.testing.harness import Served, serving
from tool_executor.adapters.breaker_board_memory import MemoryBreakerBoard
from tool_executor.adapters.call_memory_in_process import InProcessCallMemory
from tool_executor.adapters.call_memory_sqlite import SqliteCallMemory
from tool_executor.adapters.call_quota_sqlite import SqliteCallQuota
from tool_executor.adapters.tool_bounded import Places
from tool_executor.adapters.tool_index_embedding import EmbeddingToolIndex
from tool_executor.adapters.tool_registry_memory import MemoryToolRegistry
from tool_executor.main import Surroundings, protected
from tool_executor.ports.call_memory import CallMemories
from tool_executor.ports.tool import Tool
from tool_executor.ports.tool_sources import ToolSources
from tool_executor.servicer.tool_servicer import ToolServicer
from tool_executor.use_cases.bound_result import BoundResult
from tool_executor.use_cases.describe_tools import DescribeTools
from tool_executor.use_cases.execute_tool import ExecuteTool
from tool_executor.use_cases.get_tool import GetTool
from tool_executor.use_cases.list_tools import ListTools
from tool_executor.use_cases.note_call import NoteCall
from tool_executor.use_cases.reload_tools import ReloadTools
from tool_executor.use_cases.search_tools import SearchTools


class ToolBench:
    """Tools with everything around them, over fakes of policy, embedder and artifacts.

    Args:
        store: an open one.
        tools: the built-in tools.
        clock: of everything.
    """

    def __init__(self, store: ToolStore, tools: Iterable[Tool], clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.policy = FakeToolPolicy()
        self.embedder = FakeEmbedder()
        self.artifacts = MemoryArtifactStore()
        self.breakers = MemoryBreakerBoard(self.clock, BreakerPolicy(consecutive_failures=3))
        self.quota = SqliteCallQuota(store.writer, self.clock)
        self.audit = FakeAuditLog()
        note = NoteCall(self.audit, self.clock, new_id)
        self.around = Surroundings(self.clock, self.breakers, Places(), self.quota, note)
        self.registry = MemoryToolRegistry(tools, lambda source, tool: protected(source, tool, self.around))
        self.reads = InProcessCallMemory(self.clock, ttl_s=600, max_entries=100, max_chars=1_000_000)
        self.effects = SqliteCallMemory(self.reads, store.writer, self.clock, kept_s=3_600, most_rows=1_000)
        self.sources: list[ToolSources] = []
        self.describe = DescribeTools(self.policy, self.quota, self.breakers)
        self.execute = ExecuteTool(
            self.registry,
            authorizing(self.policy, self.audit),
            CallMemories(self.reads, self.effects),
            self.clock,
            BoundResult(self.artifacts, output_limit_bytes=65_536),
        )

    def service(self) -> Service:
        """Return it as a service."""
        servicer = ToolServicer(
            ListTools(self.registry, self.describe),
            GetTool(self.registry, self.describe),
            SearchTools(self.registry, self.describe, EmbeddingToolIndex(self.embedder)),
            ReloadTools(self.registry, self.sources, patience_s=5),
            self.execute,
        )
        descriptor = tools_pb2.DESCRIPTOR.services_by_name["ToolService"]
        registration = Registration(tools_pb2_grpc.add_ToolServiceServicer_to_server, servicer, descriptor)
        return Service("tools", [registration], stop=self.reads.stop)


@asynccontextmanager
async def served_tools(
    folder: Path, tools: Iterable[Tool], clock: Clock | None = None
) -> AsyncGenerator[tuple[ToolBench, Served], None]:
    """Serve `tools` with everything around them; the database is in `folder`."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(ToolStore(folder / "tools.sqlite"))
        bench = ToolBench(store, tools, clock)
        yield bench, await stack.enter_async_context(serving(bench.service()))
