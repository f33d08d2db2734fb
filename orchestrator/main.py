"""Composition root of the orchestrator: the only place where it is wired."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.adapters.agent_config_grpc import GrpcAgentConfig
from orchestrator.adapters.agent_config_remembered import RememberedAgentConfig
from orchestrator.adapters.agent_graph_langgraph import LangGraphAgentGraph
from orchestrator.adapters.chat_proto import proto_of_request
from orchestrator.adapters.conversation_store_sqlite import SqliteConversationStore
from orchestrator.adapters.embedder_grpc import GrpcEmbedder
from orchestrator.adapters.model_catalog_grpc import GrpcModelCatalog
from orchestrator.adapters.model_catalog_remembered import RememberedModelCatalog
from orchestrator.adapters.model_client_grpc import GrpcModelClient
from orchestrator.adapters.prompt_book_files import FilePromptBook
from orchestrator.adapters.run_runner_inprocess import InProcessRunner, RunnerLimits
from orchestrator.adapters.run_signal_inprocess import InProcessRunSignal
from orchestrator.adapters.run_store_notifying import NotifyingRunStore
from orchestrator.adapters.run_store_sqlite import SqliteRunStore
from orchestrator.adapters.tool_catalog_grpc import GrpcToolCatalog
from orchestrator.adapters.tool_catalog_remembered import RememberedToolCatalog
from orchestrator.adapters.tool_runner_grpc import GrpcToolRunner
from orchestrator.adapters.tool_strategy_similarity import SimilarityToolStrategy
from orchestrator.ports.agent_config import AgentConfigSource
from orchestrator.ports.agent_graph import AgentGraph
from orchestrator.ports.conversation_store import ConversationStore
from orchestrator.ports.embedder import Embedder
from orchestrator.ports.model_catalog import ModelCatalog
from orchestrator.ports.model_client import ModelClient
from orchestrator.ports.run_signal import RunSignal
from orchestrator.ports.run_store import RunStore
from orchestrator.ports.tool_catalog import ToolCatalog
from orchestrator.ports.tool_runner import ToolRunner
from orchestrator.ports.tool_strategy import ToolStrategy
from orchestrator.servicer.alias import AliasServicer
from orchestrator.servicer.conversations import ConversationServicer, ConversationUseCases
from orchestrator.servicer.query import Querying
from orchestrator.servicer.runs import AgentServicer, RunUseCases
from orchestrator.settings import Settings
from orchestrator.use_cases.agent_steps import AgentNodes
from orchestrator.use_cases.await_run import AwaitRun
from orchestrator.use_cases.call_tools import CallTools
from orchestrator.use_cases.cancel_run import CancelRun
from orchestrator.use_cases.choose_offers import ChooseOffers
from orchestrator.use_cases.compose_prompt import ComposePrompt
from orchestrator.use_cases.converse_guided import ConverseGuided
from orchestrator.use_cases.converse_natively import ConverseNatively
from orchestrator.use_cases.create_conversation import CreateConversation
from orchestrator.use_cases.delete_conversation import DeleteConversation
from orchestrator.use_cases.drive_run import DriveRun
from orchestrator.use_cases.end_run import EndRun
from orchestrator.use_cases.get_conversation import GetConversation
from orchestrator.use_cases.get_run import GetRun
from orchestrator.use_cases.list_conversations import ListConversations
from orchestrator.use_cases.list_runs import ListRuns
from orchestrator.use_cases.prepare_run import PrepareRun
from orchestrator.use_cases.preview_query import PreviewQuery, Ways
from orchestrator.use_cases.respond import Respond
from orchestrator.use_cases.start_run import StartRun
from orchestrator.use_cases.stream_chat import StreamChat
from orchestrator.use_cases.take_turn import TakeTurn
from orchestrator.use_cases.validate_answer import ValidateAnswer
from orchestrator.use_cases.warm_up import WarmUp
from orchestrator.use_cases.watch_run import WatchRun
from protos.gen.agent import agent_pb2 as alias_pb2
from protos.gen.agent import agent_pb2_grpc as alias_pb2_grpc
from protos.gen.nexus.agent.v1 import agent_pb2, agent_pb2_grpc, conversation_pb2, conversation_pb2_grpc
from shared.auth.context import acting_as
from shared.auth.principal import SERVICE_ORG, Principal
from shared.errors import UpstreamDown
from shared.server import Dependencies, Registration, Service
from shared.storage import Database
from shared.telemetry.logging import get_logger

log = get_logger(__name__)

MIGRATIONS = "orchestrator.adapters.migrations"
OWN = Principal(
    SERVICE_ORG,
    "service:orchestrator",
    frozenset({"service"}),
    frozenset({"models.read", "models.use", "tools.read"}),
)
"""The orchestrator when it acts for nobody else."""


@dataclass(frozen=True, slots=True)
class Peers:
    """The other services as the orchestrator needs them."""

    models: ModelClient
    catalog: ModelCatalog
    embedder: Embedder
    tools: ToolCatalog
    tool_runner: ToolRunner
    config: AgentConfigSource


@dataclass(frozen=True, slots=True)
class State:
    """What the orchestrator keeps."""

    runs: RunStore
    conversations: ConversationStore
    graph: AgentGraph
    signal: RunSignal


def build(settings: Settings, deps: Dependencies) -> Service:
    """Wire the service over SQLite and the other services' channels."""
    database = Database(settings.data_dir / "db" / "orchestrator.sqlite", MIGRATIONS, synchronous="FULL")
    graph = LangGraphAgentGraph(settings.data_dir / "db" / "orchestrator_checkpoints.sqlite")
    signal = InProcessRunSignal()
    state = State(
        runs=NotifyingRunStore(SqliteRunStore(database), signal),
        conversations=SqliteConversationStore(database),
        graph=graph,
        signal=signal,
    )
    peers = peers_of(settings, deps)
    strategy = SimilarityToolStrategy(peers.embedder, peers.models, FilePromptBook())
    ways = ways_of(settings, peers, strategy)
    runner = runner_of(settings, deps, state, peers, ways)
    preview = PreviewQuery(ways, state.runs, state.conversations, peers.config, deps.clock, deps.new_id)

    async def start() -> None:
        await database.open()
        await graph.open()
        unfinished = await runner.recover()
        try:
            await graph.forget_all_but([run.run_id for run in unfinished])
        except UpstreamDown as error:
            # Old checkpoints only take room; a full disk must not keep the service away.
            log.warning("checkpoints_not_forgotten", reason=error.reason)

    async def warm_up() -> None:
        with acting_as(OWN):
            await WarmUp(peers.catalog, peers.tools, strategy).keep_trying()

    async def halt() -> None:
        await runner.stop()
        signal.close()

    async def stop() -> None:
        await graph.close()
        await database.close()

    return Service(
        name="orchestrator",
        registrations=registrations_of(deps, state, peers, runner, preview),
        start=start,
        halt=halt,
        stop=stop,
        background=[runner.sweep, warm_up],
    )


def peers_of(settings: Settings, deps: Dependencies) -> Peers:
    """Return the peers over gRPC, one channel each."""
    router = deps.channel(settings.router_address)
    tools = deps.channel(settings.tools_address)
    config = deps.channel(settings.settings_address)
    return Peers(
        models=GrpcModelClient(router),
        catalog=RememberedModelCatalog(GrpcModelCatalog(router), deps.clock),
        embedder=GrpcEmbedder(router),
        tools=RememberedToolCatalog(GrpcToolCatalog(tools), deps.clock),
        tool_runner=GrpcToolRunner(tools),
        config=RememberedAgentConfig(GrpcAgentConfig(config), deps.clock),
    )


def ways_of(settings: Settings, peers: Peers, strategy: ToolStrategy) -> Ways:
    """Return how a model is chosen and asked."""
    prompts = FilePromptBook()
    chat = StreamChat(peers.models)
    compose = ComposePrompt(prompts, settings.max_output_tokens)
    return Ways(
        prepare=PrepareRun(peers.catalog, prompts),
        natively=ConverseNatively(chat, compose, ChooseOffers(peers.tools, prompts), prompts),
        guided=ConverseGuided(chat, compose, peers.tools, strategy, prompts),
    )


def nodes_of(peers: Peers, ways: Ways) -> AgentNodes:
    """Return the nodes of the graph."""
    prompts = FilePromptBook()
    return AgentNodes(
        prepare=ways.prepare,
        take_turn=TakeTurn(ways.natively, ways.guided, ways.prepare, prompts),
        call_tools=CallTools(peers.tools, peers.tool_runner),
        validate=ValidateAnswer(),
        respond=Respond(prompts),
    )


def runner_of(settings: Settings, deps: Dependencies, state: State, peers: Peers, ways: Ways) -> InProcessRunner:
    """Return what works on runs."""
    nodes = nodes_of(peers, ways)
    drive = DriveRun(state.runs, state.conversations, peers.config, state.graph, nodes, deps.clock)
    limits = RunnerLimits(settings.concurrent_runs, settings.waiting_runs, settings.recovery_sweep_s)
    return InProcessRunner(state.runs, drive, EndRun(state.runs, state.graph, deps.clock), limits)


def registrations_of(
    deps: Dependencies, state: State, peers: Peers, runner: InProcessRunner, preview: PreviewQuery
) -> list[Registration]:
    """Return the servicers over the use cases."""
    watch = WatchRun(state.runs, state.signal)
    start = StartRun(state.runs, runner, peers.config, peers.catalog, deps.clock, deps.new_id)
    querying = Querying(start, AwaitRun(state.runs, watch), watch)
    runs = RunUseCases(
        get=GetRun(state.runs),
        page=ListRuns(state.runs),
        watch=watch,
        cancel=CancelRun(state.runs, runner),
        preview=preview,
    )
    conversations = ConversationUseCases(
        create=CreateConversation(state.conversations, deps.clock, deps.new_id),
        get=GetConversation(state.conversations),
        page=ListConversations(state.conversations),
        delete=DeleteConversation(state.conversations, state.graph),
    )
    return [
        Registration(
            agent_pb2_grpc.add_AgentServiceServicer_to_server,
            AgentServicer(querying, runs, proto_of_request),
            agent_pb2.DESCRIPTOR.services_by_name["AgentService"],
        ),
        Registration(
            conversation_pb2_grpc.add_ConversationServiceServicer_to_server,
            ConversationServicer(conversations),
            conversation_pb2.DESCRIPTOR.services_by_name["ConversationService"],
        ),
        Registration(
            alias_pb2_grpc.add_AgentServiceServicer_to_server,
            AliasServicer(querying),
            alias_pb2.DESCRIPTOR.services_by_name["AgentService"],
        ),
    ]
