"""Preview a question: what a model would be asked first, without a run."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.domain.agent_config import limits_within
from orchestrator.domain.carried_routing import with_history
from orchestrator.domain.chat import ChatRequest
from orchestrator.domain.conversation import Message
from orchestrator.domain.errors import FailureReason, RunFailure
from orchestrator.domain.routing import Routing
from orchestrator.domain.run import Run, RunStatus
from orchestrator.ports.agent_config import AgentConfigSource
from orchestrator.ports.conversation_store import ConversationStore
from orchestrator.ports.run_store import RunStore
from orchestrator.use_cases.converse_guided import ConverseGuided
from orchestrator.use_cases.converse_natively import ConverseNatively
from orchestrator.use_cases.drive_run import MOST_HISTORY
from orchestrator.use_cases.prepare_run import NATIVE, PrepareRun
from orchestrator.use_cases.record_events import RecordEvents
from orchestrator.use_cases.run_work import RunWork
from orchestrator.use_cases.start_run import Question
from shared.auth.principal import Principal
from shared.clock import Clock
from shared.errors import InvalidInput, NexusError, PreconditionFailed
from shared.ids import IdSource


@dataclass(frozen=True, slots=True)
class Preview:
    """What a model would be asked, for at most so long; `guided` when it is offered no tools: it calls none."""

    request: ChatRequest
    timeout_s: float
    guided: bool


@dataclass(frozen=True, slots=True)
class Ways:
    """How a model is chosen and asked: the very parts that runs use."""

    prepare: PrepareRun
    natively: ConverseNatively
    guided: ConverseGuided


class PreviewQuery:
    """Does what the first steps of a run do, up to the call."""

    def __init__(
        self,
        ways: Ways,
        runs: RunStore,
        conversations: ConversationStore,
        config: AgentConfigSource,
        clock: Clock,
        new_id: IdSource,
    ) -> None:
        self._ways = ways
        self._runs = runs
        self._conversations = conversations
        self._config = config
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, principal: Principal, question: Question, refused_reason: str) -> Preview | None:
        """Return the first call; after a refusal the one that is tried then, None when there is none.

        Raises:
            InvalidInput: MODEL_UNKNOWN, CONTEXT_TOO_LONG, RESIDENCY_CONFLICT.
            PreconditionFailed: NO_CHAT_MODEL.
            NotFound: CONVERSATION_NOT_FOUND.
            UpstreamDown: when another service or the storage does not answer.
        """
        work = await self._work(principal, question)
        try:
            return await self._preview(work, refused_reason)
        except RunFailure as failed:
            kind = PreconditionFailed if failed.failure.reason == FailureReason.NO_CHAT_MODEL else InvalidInput
            raise kind(failed.failure.reason, failed.failure.message) from failed

    async def _preview(self, work: RunWork, refused_reason: str) -> Preview | None:
        timeout_s = work.run.limits.timeout_s
        state = await self._ways.prepare(work)
        if refused_reason:
            refusal: NexusError = PreconditionFailed(refused_reason, "The router would refuse the call.")
            instead = await self._ways.prepare.instead(state, refusal)
            if not instead:
                return None
            state = instead[0]
        if state.get("strategy", NATIVE) == NATIVE:
            return Preview(await self._ways.natively.request(work, state), timeout_s, guided=False)
        return Preview(self._ways.guided.request(work, state), timeout_s, guided=True)

    async def _work(self, principal: Principal, question: Question) -> RunWork:
        config = await self._config.agent_config()
        history = await self._history(principal, question.conversation_id)
        run = Run(
            run_id=self._new_id(),
            conversation_id=question.conversation_id or self._new_id(),
            principal=principal,
            question=question.text,
            requested_model=question.model,
            limits=limits_within(config, question.limits),
            status=RunStatus.PENDING,
            created_at=self._clock.now(),
            routing=await self._routing(principal, question),
            channel=question.channel,
        )
        # Nothing is recorded: nobody opens the log.
        events = RecordEvents(self._runs, self._clock, run)
        return RunWork(run, events, config, history, self._clock.monotonic() + run.limits.timeout_s, self._clock)

    async def _routing(self, principal: Principal, question: Question) -> Routing:
        earlier = await self._conversations.routings(principal.org_id, question.conversation_id)
        return with_history(question.routing, earlier)

    async def _history(self, principal: Principal, conversation_id: str) -> tuple[Message, ...]:
        if not conversation_id:
            return ()
        await self._conversations.get(principal.org_id, principal.user_id, conversation_id)
        return tuple(await self._conversations.messages(principal.org_id, conversation_id, MOST_HISTORY))
