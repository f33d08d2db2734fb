"""Composition root of the tool executor: the only place where it is wired."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from google.protobuf.descriptor import FileDescriptor

from protos.gen.nexus.artifacts.v1 import artifacts_pb2, artifacts_pb2_grpc
from protos.gen.nexus.knowledge.v1 import knowledge_pb2, knowledge_pb2_grpc
from protos.gen.nexus.mcp.v1 import mcp_pb2, mcp_pb2_grpc
from protos.gen.nexus.tools.v1 import audit_pb2, audit_pb2_grpc, policy_pb2, policy_pb2_grpc, tools_pb2, tools_pb2_grpc
from shared.clock import Clock
from shared.net.lookup import NameThreads
from shared.server import Dependencies, Registration, Service
from shared.server.supervised import supervised
from shared.storage import Database, GroupCommit
from tool_executor.adapters.artifact_objects import ArtifactObjects, open_store
from tool_executor.adapters.artifact_rows import ArtifactRows
from tool_executor.adapters.artifact_store_obstore import ObstoreArtifactStore
from tool_executor.adapters.audit_log_sqlite import AuditWriters, SqliteAuditLog
from tool_executor.adapters.breaker_board_memory import MemoryBreakerBoard
from tool_executor.adapters.call_memory_in_process import InProcessCallMemory
from tool_executor.adapters.call_memory_sqlite import SqliteCallMemory
from tool_executor.adapters.call_quota_sqlite import SqliteCallQuota
from tool_executor.adapters.cedar.policy_files import CedarPolicyFiles
from tool_executor.adapters.cedar.role_file import load_includes
from tool_executor.adapters.code_runner_grpc import GrpcCodeRunner
from tool_executor.adapters.context_source_grpc import GrpcContextSource
from tool_executor.adapters.embedder_grpc import GrpcEmbedder
from tool_executor.adapters.knowledge_store_chroma import ChromaKnowledgeStore
from tool_executor.adapters.mcp.limits import McpLimits, McpSurroundings
from tool_executor.adapters.mcp_connections_supervised import Patience, SupervisedMcpConnections
from tool_executor.adapters.mcp_connector_on_demand import OnDemandMcpConnector
from tool_executor.adapters.mcp_server_store_sqlite import SqliteMcpServerStore
from tool_executor.adapters.secret_box_aesgcm import AesGcmSecretBox
from tool_executor.adapters.solver_process import ProcessSolver
from tool_executor.adapters.tool_audited import AuditedTool
from tool_executor.adapters.tool_bounded import BoundedTool, Places
from tool_executor.adapters.tool_breaking import BreakingTool
from tool_executor.adapters.tool_calculator import CalculatorTool
from tool_executor.adapters.tool_checked import CheckedTool
from tool_executor.adapters.tool_current_time import CurrentTimeTool
from tool_executor.adapters.tool_execute_code import ExecuteCodeTool
from tool_executor.adapters.tool_gated import GatedTool
from tool_executor.adapters.tool_guarded import GuardedTool
from tool_executor.adapters.tool_index_embedding import EmbeddingToolIndex
from tool_executor.adapters.tool_knowledge_search import KnowledgeSearchTool
from tool_executor.adapters.tool_limited import LimitedTool
from tool_executor.adapters.tool_list_files import ListFilesTool
from tool_executor.adapters.tool_load_file import LoadFileTool
from tool_executor.adapters.tool_mcp import McpTool
from tool_executor.adapters.tool_metered import MeteredTool
from tool_executor.adapters.tool_policy_cedar import CedarToolPolicy
from tool_executor.adapters.tool_read_artifact import ReadArtifactTool
from tool_executor.adapters.tool_read_file import ReadFileTool
from tool_executor.adapters.tool_registry_memory import MemoryToolRegistry
from tool_executor.adapters.tool_save_file import SaveFileTool
from tool_executor.adapters.tool_settings_grpc import GrpcToolSettings
from tool_executor.adapters.tool_shell import ShellTool
from tool_executor.adapters.tool_source_builtin import BuiltinToolSource
from tool_executor.adapters.tool_source_mcp import McpToolSources
from tool_executor.adapters.tool_user_context import UserContextTool
from tool_executor.adapters.tool_write_file import WriteFileTool
from tool_executor.adapters.web.assembly import WebTools
from tool_executor.adapters.workspaces_grpc import GrpcWorkspaces
from tool_executor.domain.tool_source import BUILTIN, SourceId
from tool_executor.ports.call_memory import CallMemories
from tool_executor.ports.call_quota import CallQuota
from tool_executor.ports.embedder import Embedder
from tool_executor.ports.tool import Tool
from tool_executor.ports.tool_sources import ToolSources
from tool_executor.servicer.artifact_servicer import ArtifactServicer
from tool_executor.servicer.audit_servicer import AuditServicer
from tool_executor.servicer.knowledge_servicer import KnowledgeServicer, KnowledgeUseCases
from tool_executor.servicer.mcp_servicer import McpServicer, McpUseCases
from tool_executor.servicer.policy_servicer import PolicyServicer
from tool_executor.servicer.tool_servicer import ToolServicer
from tool_executor.settings import Settings
from tool_executor.use_cases.add_mcp_server import AddMcpServer
from tool_executor.use_cases.authorize_call import AuthorizeCall
from tool_executor.use_cases.bound_result import BoundResult
from tool_executor.use_cases.change_mcp_servers import ChangeMcpServers
from tool_executor.use_cases.describe_tools import DescribeTools
from tool_executor.use_cases.embed_knowledge import EmbedKnowledge
from tool_executor.use_cases.execute_tool import ExecuteTool
from tool_executor.use_cases.get_tool import GetTool
from tool_executor.use_cases.list_audit_events import ListAuditEvents
from tool_executor.use_cases.list_policy_files import ListPolicyFiles
from tool_executor.use_cases.list_tools import ListTools
from tool_executor.use_cases.move_artifacts import MoveArtifacts
from tool_executor.use_cases.note_call import NoteCall
from tool_executor.use_cases.note_mcp_change import NoteMcpChange
from tool_executor.use_cases.put_passages import PutPassages
from tool_executor.use_cases.read_mcp_server import ReadMcpServer
from tool_executor.use_cases.reload_tools import ReloadTools
from tool_executor.use_cases.remove_mcp_server import RemoveMcpServer
from tool_executor.use_cases.run_code import RunCode
from tool_executor.use_cases.search_passages import SearchPassages
from tool_executor.use_cases.search_tools import SearchTools
from tool_executor.use_cases.sweep_artifacts import SweepArtifacts
from tool_executor.use_cases.try_mcp_server import TryMcpServer


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What tools have around them in common; it stays when tools are made anew."""

    clock: Clock
    breakers: MemoryBreakerBoard
    places: Places
    quota: CallQuota
    note: NoteCall


def protected(source: SourceId, tool: Tool, around: Surroundings) -> Tool:
    """Return `tool` with what stands around each, in one order, from the outside in.

    1. metrics: every call counts, refused ones too;
    2. schemas: nothing that does not fit reaches a limit or the tool;
    3. breaker: a tool that keeps failing costs nobody a place or a call of the quota;
    4. places: so many calls at once, and a share of them for an organisation;
    5. quota: last of all that refuses, so that it counts only calls that run;
    6. audit: an effect is written down when nothing refuses it any more, and before it happens;
    7. guard: the time limit, and what a crash or a peer's error means to the breaker.
    """
    counted = LimitedTool(AuditedTool(GuardedTool(tool), around.note), around.quota)
    breaking = BreakingTool(BoundedTool(counted, source, around.places), around.breakers)
    # Schemas of strangers are never used as they are: checking a value against one might take for ever.
    checked = CheckedTool(breaking) if source == BUILTIN else GatedTool(breaking)
    return MeteredTool(checked, around.clock)


@dataclass(slots=True)
class _Life:
    """What is to be done when the service starts, while it runs and when it stops; parts add what is theirs."""

    start: list[Callable[[], Awaitable[None]]] = field(default_factory=list[Callable[[], Awaitable[None]]])
    stop: list[Callable[[], Awaitable[None]]] = field(default_factory=list[Callable[[], Awaitable[None]]])
    background: list[Callable[[], Coroutine[Any, Any, None]]] = field(
        default_factory=list[Callable[[], Coroutine[Any, Any, None]]]
    )

    async def begin(self) -> None:
        """Start the parts in the order in which they were wired."""
        for start in self.start:
            await start()

    async def end(self) -> None:
        """Stop them in the opposite order: each still has what it stands on."""
        for stop in reversed(self.stop):
            await stop()


@dataclass(frozen=True, slots=True)
class _Store:
    """The database and its writers.

    Counts of calls may lose the last moments to a power cut; what makes an effect happen once may not.
    """

    database: Database
    counts: GroupCommit
    effects: GroupCommit


def _store(settings: Settings, life: _Life) -> _Store:
    path = settings.data_dir / "db" / "tools.sqlite"
    store = _Store(
        Database(path, "tool_executor.adapters.migrations"), GroupCommit(path), GroupCommit(path, synchronous="FULL")
    )
    life.start += [store.database.open, store.counts.start, store.effects.start]
    life.stop += [store.database.close, store.counts.stop, store.effects.stop]
    return store


def _artifacts(settings: Settings, deps: Dependencies, store: _Store, life: _Life) -> ObstoreArtifactStore:
    objects = ArtifactObjects(partial(open_store, settings.artifacts_url, settings.data_dir / "artifacts"))
    artifacts = ObstoreArtifactStore(
        ArtifactRows(store.database, quota_bytes=settings.artifact_quota_bytes),
        objects,
        deps.clock,
        deps.new_id,
        limit_bytes=settings.artifact_limit_bytes,
    )

    async def start() -> None:
        objects.start()

    sweep = SweepArtifacts(artifacts, asyncio.sleep, pause_s=settings.artifact_sweep_pause_s)
    life.start.append(start)
    life.stop.append(artifacts.stop)
    life.background.append(supervised("artifact_sweep", sweep))
    return artifacts


def _policy(settings: Settings, deps: Dependencies, files: CedarPolicyFiles, life: _Life) -> CedarToolPolicy:
    tool_settings = GrpcToolSettings(
        deps.channel(settings.settings_address), deps.clock, max_organisations=settings.policy_organisations
    )

    async def start() -> None:
        files.load()

    life.start.append(start)
    life.stop.append(tool_settings.stop)
    life.background.append(supervised("tool_policies", files.watch))
    return CedarToolPolicy(tool_settings, files, load_includes(settings.roles_file))


def _audit(settings: Settings, deps: Dependencies, store: _Store, life: _Life) -> SqliteAuditLog:
    writers = AuditWriters(refusals=store.counts, effects=store.effects)
    audit = SqliteAuditLog(
        store.database, writers, deps.clock, kept_days=settings.audit_days, kept_events=settings.audit_events
    )
    life.background.append(supervised("audit_trim", audit.keep_bounded))
    return audit


def _memories(settings: Settings, deps: Dependencies, store: _Store, life: _Life) -> CallMemories:
    reads = InProcessCallMemory(
        deps.clock,
        ttl_s=settings.call_memory_ttl_s,
        max_entries=settings.call_memory_entries,
        max_chars=settings.call_memory_chars,
    )
    effects = SqliteCallMemory(
        reads, store.effects, deps.clock, kept_s=settings.effects_kept_s, most_rows=settings.effects_kept_rows
    )
    life.stop.append(reads.stop)
    life.background.append(supervised("tool_calls_prune", effects.keep_bounded))
    return CallMemories(reads, effects)


def _code_tools(settings: Settings, deps: Dependencies, artifacts: ObstoreArtifactStore) -> Callable[[], list[Tool]]:
    """Return what makes the tools over the sandbox; the conversations' workspaces outlive a reload."""
    sandbox, printed_bytes = deps.channel(settings.sandbox_address), settings.code_output_bytes
    workspaces = GrpcWorkspaces(sandbox, wall_time_s=settings.code_wall_time_s, output_limit_bytes=printed_bytes)
    move = MoveArtifacts(artifacts)
    run_code = RunCode(
        GrpcCodeRunner(sandbox, output_limit_bytes=printed_bytes),
        workspaces,
        move,
        deps.clock,
        wall_time_s=settings.code_wall_time_s,
    )
    return lambda: [
        ExecuteCodeTool(run_code),
        ShellTool(run_code),
        WriteFileTool(workspaces),
        ReadFileTool(workspaces, output_limit_bytes=settings.output_limit_bytes),
        ListFilesTool(workspaces),
        SaveFileTool(workspaces, move),
        LoadFileTool(workspaces, move),
    ]


def _knowledge(settings: Settings, deps: Dependencies, embedder: Embedder, life: _Life) -> KnowledgeUseCases:
    store = ChromaKnowledgeStore(settings.data_dir / "chroma", deps.clock, most_passages=settings.knowledge_passages)
    life.stop.append(store.stop)
    embed = EmbedKnowledge(embedder)
    return KnowledgeUseCases(put=PutPassages(store, embed), search=SearchPassages(store, embed), store=store)


def _builtin_tools(
    settings: Settings,
    deps: Dependencies,
    artifacts: ObstoreArtifactStore,
    knowledge: KnowledgeUseCases,
    life: _Life,
) -> Callable[[], list[Tool]]:
    """Return what makes the built-in tools; each reload calls it, so what they stand on is made here, once."""
    solver = ProcessSolver(
        workers=settings.calculator_workers,
        cpu_s=settings.calculator_cpu_s,
        memory_bytes=settings.calculator_memory_bytes,
        warm_up_delay_s=settings.calculator_warm_up_delay_s,
    )
    code = _code_tools(settings, deps, artifacts)
    context_source = GrpcContextSource(deps.channel(settings.dashboard_address))
    web = WebTools(settings.web, deps.clock)
    life.stop += [solver.stop, web.stop]
    life.background += [solver.keep_warm, supervised("page_readers", web.retire_idle)]
    return lambda: [
        CalculatorTool(solver),
        CurrentTimeTool(deps.clock),
        *code(),
        KnowledgeSearchTool(knowledge.search, output_limit_bytes=settings.output_limit_bytes),
        ReadArtifactTool(artifacts, output_limit_bytes=settings.output_limit_bytes),
        UserContextTool(context_source, deps.clock),
        *web.tools,
    ]


@dataclass(frozen=True, slots=True)
class _McpStores:
    """Where MCP servers, what their tools answer with, and changes of them are kept."""

    servers: SqliteMcpServerStore
    artifacts: ObstoreArtifactStore
    audit: SqliteAuditLog


def _mcp(
    settings: Settings,
    deps: Dependencies,
    registry: MemoryToolRegistry,
    kept: _McpStores,
    authorize: AuthorizeCall,
    life: _Life,
) -> McpUseCases:
    servers, note = kept.servers, NoteMcpChange(kept.audit, deps.clock, deps.new_id)
    names, private = NameThreads(), frozenset(place.lower() for place in settings.mcp_private_hosts)
    sandbox = deps.channel(settings.sandbox_address)
    connector = OnDemandMcpConnector(McpSurroundings(sandbox, names, private, settings.web_ca_file), McpLimits())
    connections = SupervisedMcpConnections(
        servers,
        connector,
        registry,
        partial(McpTool, kept.artifacts, timeout_s=settings.mcp_call_s),
        deps.clock,
        Patience(),
    )
    change = ChangeMcpServers(servers, connections, note)

    async def stop() -> None:
        await connections.stop()
        names.stop()

    life.start.append(connections.start)
    life.stop.append(stop)
    return McpUseCases(
        add=AddMcpServer(change, deps.clock, private, most=settings.mcp_servers),
        remove=RemoveMcpServer(change),
        attempt=TryMcpServer(connector, registry, note, deps.clock, private),
        read=ReadMcpServer(connections, authorize, NoteCall(kept.audit, deps.clock, deps.new_id)),
        connections=connections,
    )


def _family(add: Callable[[Any, Any], None], servicer: object, file: FileDescriptor) -> Registration:
    """Return the registration of the one RPC family of a contract."""
    (family,) = file.services_by_name.values()
    return Registration(add, servicer, family)


def _policy_families(files: CedarPolicyFiles, audit: SqliteAuditLog) -> list[Registration]:
    return [
        _family(
            audit_pb2_grpc.add_AuditServiceServicer_to_server,
            AuditServicer(ListAuditEvents(audit)),
            audit_pb2.DESCRIPTOR,
        ),
        _family(
            policy_pb2_grpc.add_PolicyServiceServicer_to_server,
            PolicyServicer(ListPolicyFiles(files)),
            policy_pb2.DESCRIPTOR,
        ),
    ]


def build(settings: Settings, deps: Dependencies) -> Service:
    """Wire the service.

    Raises:
        PreconditionFailed: when a tool's definition or schema is wrong.
    """
    life = _Life()
    store = _store(settings, life)
    artifacts = _artifacts(settings, deps, store, life)
    policy_files = CedarPolicyFiles(settings.policies_file, poll_s=settings.policies_reload_s)
    policy = _policy(settings, deps, policy_files, life)
    audit = _audit(settings, deps, store, life)
    quota = SqliteCallQuota(store.counts, deps.clock)
    life.background.append(supervised("tool_days_prune", quota.keep_bounded))
    breakers = MemoryBreakerBoard(deps.clock, settings.breaker)
    note = NoteCall(audit, deps.clock, deps.new_id)
    around = Surroundings(deps.clock, breakers, Places(), quota, note)
    embedder = GrpcEmbedder(deps.channel(settings.router_address))
    knowledge = _knowledge(settings, deps, embedder, life)
    make_tools = _builtin_tools(settings, deps, artifacts, knowledge, life)
    registry = MemoryToolRegistry(make_tools(), lambda source, tool: protected(source, tool, around))
    servers = SqliteMcpServerStore(store.database, AesGcmSecretBox(settings.data_dir / "secrets" / "mcp.key"))
    mcp = _mcp(settings, deps, registry, _McpStores(servers, artifacts, audit), AuthorizeCall(policy, note), life)
    sources: list[ToolSources] = [BuiltinToolSource(make_tools), McpToolSources(mcp.connections)]
    describe = DescribeTools(policy, quota, breakers)
    servicer = ToolServicer(
        ListTools(registry, describe),
        GetTool(registry, describe),
        SearchTools(registry, describe, EmbeddingToolIndex(embedder)),
        ReloadTools(registry, sources),
        ExecuteTool(
            registry,
            AuthorizeCall(policy, note),
            _memories(settings, deps, store, life),
            deps.clock,
            BoundResult(artifacts, output_limit_bytes=settings.output_limit_bytes),
        ),
    )
    return Service(
        name="tools",
        registrations=[
            _family(tools_pb2_grpc.add_ToolServiceServicer_to_server, servicer, tools_pb2.DESCRIPTOR),
            _family(
                artifacts_pb2_grpc.add_ArtifactServiceServicer_to_server,
                ArtifactServicer(artifacts),
                artifacts_pb2.DESCRIPTOR,
            ),
            _family(
                knowledge_pb2_grpc.add_KnowledgeServiceServicer_to_server,
                KnowledgeServicer(knowledge),
                knowledge_pb2.DESCRIPTOR,
            ),
            _family(mcp_pb2_grpc.add_McpServiceServicer_to_server, McpServicer(mcp), mcp_pb2.DESCRIPTOR),
            *_policy_families(policy_files, audit),
        ],
        start=life.begin,
        stop=life.end,
        background=life.background,
    )
