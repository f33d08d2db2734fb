"""The orchestrator wired over fake ports, for unit and contract tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator_fakes import (
    FakeConversationStore,
    FakeEmbedder,
    FakeGraph,
    FakeModels,
    FakePeers,
    FakeStore,
    FakeToolRunner,
)

from orchestrator.adapters.agent_graph_langgraph import LangGraphAgentGraph
from orchestrator.adapters.conversation_store_sqlite import SqliteConversationStore
from orchestrator.adapters.prompt_book_files import FilePromptBook
from orchestrator.adapters.run_runner_inprocess import InProcessRunner
from orchestrator.adapters.run_signal_inprocess import InProcessRunSignal
from orchestrator.adapters.run_store_notifying import NotifyingRunStore
from orchestrator.adapters.run_store_sqlite import SqliteRunStore
from orchestrator.adapters.tool_strategy_similarity import SimilarityToolStrategy
from orchestrator.main import Peers, State, registrations_of, runner_of, ways_of
from orchestrator.settings import Settings
from orchestrator.use_cases.preview_query import PreviewQuery
from shared.clock import SystemClock
from shared.ids import new_id
from shared.server import Dependencies, Service
from shared.storage import Database


@dataclass
class FakeWorld:
    """Everything around the orchestrator's own code; change it before `service` or between calls."""

    store: FakeStore = field(default_factory=FakeStore)
    graph: FakeGraph = field(default_factory=FakeGraph)
    models: FakeModels = field(default_factory=FakeModels)
    peers: FakePeers = field(default_factory=FakePeers)
    tools: FakeToolRunner = field(default_factory=FakeToolRunner)
    embedder: FakeEmbedder = field(default_factory=FakeEmbedder)
    settings: Settings = field(default_factory=lambda: Settings(recovery_sweep_s=0.05))
    runner: InProcessRunner | None = None

    def service(self) -> Service:
        """Wire the service over fakes; each call stands for a process of its own over the same state."""
        signal = InProcessRunSignal()
        store = NotifyingRunStore(self.store, signal)
        state = State(store, FakeConversationStore(self.store), self.graph, signal)
        return self._wired(state, [])

    def service_on(self, folder: Path) -> Service:
        """Wire the service over SQLite and LangGraph in a folder; what is around it stays fake."""
        database = Database(folder / "o.sqlite", "orchestrator.adapters.migrations")
        graph = LangGraphAgentGraph(folder / "checkpoints.sqlite")
        signal = InProcessRunSignal()
        store = NotifyingRunStore(SqliteRunStore(database), signal)
        state = State(store, SqliteConversationStore(database), graph, signal)
        return self._wired(state, [database, graph])

    def _wired(self, state: State, files: list[Any]) -> Service:
        peers = Peers(self.models, self.peers, self.embedder, self.peers, self.tools, self.peers)
        deps = Dependencies(SystemClock(), new_id, _no_channel)
        strategy = SimilarityToolStrategy(self.embedder, self.models, FilePromptBook())
        ways = ways_of(self.settings, peers, strategy)
        runner = runner_of(self.settings, deps, state, peers, ways)
        preview = PreviewQuery(ways, state.runs, state.conversations, peers.config, deps.clock, deps.new_id)
        self.runner = runner

        async def start() -> None:
            for file in files:
                await file.open()
            await runner.recover()

        async def halt() -> None:
            await runner.stop()
            state.signal.close()

        async def stop() -> None:
            for file in files:
                await file.close()

        return Service(
            name="orchestrator",
            registrations=registrations_of(deps, state, peers, runner, preview),
            start=start,
            halt=halt,
            stop=stop,
            background=[runner.sweep],
        )


def _no_channel(address: str) -> None:  # type: ignore[return]
    raise AssertionError(f"a fake world has no channel to {address}")
