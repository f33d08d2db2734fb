"""Fakes of the orchestrator's ports."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from orchestrator.domain import lookup_errors
from orchestrator.domain.agent_config import AgentConfig
from orchestrator.domain.agent_state import AgentState, initial_state
from orchestrator.domain.carried_routing import with_history
from orchestrator.domain.chat import (
    CacheHit,
    Catalogue,
    ChatCompleted,
    ChatEvent,
    ChatRequest,
    ChatStarted,
    ChatText,
    ChatToolCallPart,
    FinishReason,
    ModelInfo,
)
from orchestrator.domain.conversation import Conversation, Message, NewConversation, Speaker, title_of
from orchestrator.domain.events import Ending, NewEvent, RunEvent, RunStarted, final_status
from orchestrator.domain.graph_routes import after_model, after_validate
from orchestrator.domain.pages import MOST_LISTED_CHARS, MOST_MESSAGES_CHARS, Page, PageMark, PageRequest, token_of
from orchestrator.domain.routing import DEFAULT_ROUTING, Routing
from orchestrator.domain.run import Limits, NewRun, Run, RunTicket
from orchestrator.domain.run_lifecycle import (
    accepted,
    begin_attempt,
    check_fence,
    check_transition,
    conversation_busy,
    end,
    fenced,
    grown,
)
from orchestrator.domain.tools import Origin, Tool, ToolOutcome
from orchestrator.ports.agent_steps import AgentSteps
from orchestrator.ports.run_store import Accepted
from orchestrator.ports.tool_runner import ToolRequest
from shared.auth.principal import Principal
from shared.errors import InvalidInput, NexusError, UpstreamDown
from shared.testing.fakes import FakeClock
from shared.testing.harness import principal

NATIVE = ModelInfo(
    "scripted/chat", chat=True, embeddings=False, tool_calling=True, context_length=128_000, demonstration=False
)
OFFLINE = ModelInfo(
    "local/small", chat=True, embeddings=False, tool_calling=False, context_length=4096, demonstration=True
)
CALCULATOR = Tool(
    "calculator",
    "Computes exactly.",
    '{"type":"object","properties":{"expression":{"type":"string"}},"required":["expression"]}',
    5.0,
    ("What is 2+2?",),
)
TIME = Tool("get_current_time", "Tells the time.", '{"type":"object"}', 5.0, ("What time is it?",))


def new_run(run_id: str = "run-1", **changes: object) -> NewRun:
    """Return a run to accept."""
    values: dict[str, object] = {
        "run_id": run_id,
        "principal": principal(),
        "request_id": f"req-{run_id}",
        "fingerprint": "f",
        "conversation_id": "",
        "new_conversation_id": f"conv-{run_id}",
        "question": "What is 2+2?",
        "model": "",
        "limits": Limits(8, 16, 120.0),
        "created_at": FakeClock().now(),
    }
    return NewRun(**(values | changes))  # type: ignore[arg-type]


class FakeStore:
    """`RunStore` and `ConversationStore` in memory; raises `error` from writes when there is one."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.new: dict[str, NewRun] = {}
        self.released: set[str] = set()
        self.log: dict[str, list[RunEvent]] = {}
        self.conversations: dict[str, Conversation] = {}
        self.conversation_requests: dict[tuple[str, str, str], str] = {}
        self.said: dict[str, dict[int, Message]] = {}
        self.deletions: dict[tuple[str, str, str], str] = {}
        self.batches: list[list[NewEvent]] = []
        self.error: NexusError | None = None

    async def accept(self, new: NewRun) -> Accepted:
        who = new.principal
        for known in self.new.values():
            same = (known.principal.org_id, known.principal.user_id, known.request_id)
            if same == (who.org_id, who.user_id, new.request_id):
                if known.fingerprint != new.fingerprint:
                    raise lookup_errors.request_id_reused(new.request_id)
                return Accepted(self.runs[known.run_id], created=False)
        earlier = [run.routing for run in self.runs.values() if run.conversation_id == new.conversation_id]
        new = replace(new, routing=with_history(new.routing, earlier))
        conversation_id = self._open(new)
        run = replace(accepted(new, conversation_id), last_sequence=0)
        self.new[new.run_id] = new
        self.log[new.run_id] = []
        self.runs[new.run_id] = run
        self._write(run, [NewEvent(new.created_at, RunStarted(conversation_id, new.question))])  # type: ignore[arg-type]
        said = self.said.setdefault(conversation_id, {})
        said[(max(said, default=-2) // 2 + 1) * 2] = Message(Speaker.USER, new.question, new.run_id, new.created_at)
        return Accepted(self.runs[new.run_id], created=True)

    def _open(self, new: NewRun) -> str:
        who = new.principal
        if not new.conversation_id:
            made = Conversation(
                new.new_conversation_id, who.org_id, who.user_id, title_of(new.question), new.created_at, new.created_at
            )
            self.conversations[made.conversation_id] = made
            return made.conversation_id
        found = self.conversations.get(new.conversation_id)
        if found is None or (found.org_id, found.user_id) != (who.org_id, who.user_id):
            raise lookup_errors.conversation_not_found(new.conversation_id)
        title = found.title or title_of(new.question)
        self.conversations[found.conversation_id] = replace(found, title=title, updated_at=new.created_at)
        return found.conversation_id

    def _write(self, run: Run, events: Sequence[NewEvent]) -> Run:
        for event in events:
            sequence = len(self.log[run.run_id]) + 1
            self.log[run.run_id].append(RunEvent(run.run_id, sequence, event.created_at, event.payload))
        self.runs[run.run_id] = grown(run, [event.payload for event in events])
        return self.runs[run.run_id]

    async def get(self, org_id: str, run_id: str) -> Run:
        run = self.runs.get(run_id)
        if run is None or run.org_id != org_id:
            raise lookup_errors.run_not_found(run_id)
        return run

    async def page(self, org_id: str, page: PageRequest, conversation_id: str = "") -> Page[Run]:
        rows = [
            replace(run, question=run.question[:MOST_LISTED_CHARS], answer=run.answer[:MOST_LISTED_CHARS])
            for run in self.runs.values()
            if run.org_id == org_id and conversation_id in {"", run.conversation_id}
        ]
        return _page([(run.created_at, run.run_id, run) for run in rows], page)

    async def begin(self, org_id: str, run_id: str, now: datetime) -> Run:
        run = begin_attempt(await self.get(org_id, run_id), now, released=run_id in self.released)
        self.released.discard(run_id)
        self.runs[run_id] = run
        return run

    async def release(self, run: Run) -> None:
        if self.runs[run.run_id].attempt == run.attempt:
            self.released.add(run.run_id)

    async def append(self, run: Run, new: Sequence[NewEvent]) -> int:
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        stored = self.runs[run.run_id]
        check_fence(stored, run.attempt)
        self.batches.append(list(new))
        return self._write(stored, new).last_sequence

    async def end(self, run: Run, new: Sequence[NewEvent], ending: Ending, now: datetime) -> Run:
        if self.error:
            raise self.error
        stored = await self.get(run.org_id, run.run_id)
        check_transition(stored.status, final_status(ending))
        if stored.attempt != run.attempt:
            raise fenced(run.run_id)
        stored = self._write(stored, [*new, NewEvent(now, ending)])  # type: ignore[arg-type]
        ended = end(stored, ending, now)
        self.runs[run.run_id] = ended
        if ended.answer:
            said = self.said[ended.conversation_id]
            asked = next(at for at, m in said.items() if m.run_id == run.run_id)
            said[asked + 1] = Message(Speaker.ASSISTANT, ended.answer, run.run_id, now)
            conversation = self.conversations[ended.conversation_id]
            self.conversations[ended.conversation_id] = replace(conversation, updated_at=now)
        return ended

    async def events(self, org_id: str, run_id: str, after_sequence: int, limit: int) -> list[RunEvent]:
        if run_id not in self.runs or self.runs[run_id].org_id != org_id:
            return []
        return self.log[run_id][after_sequence : after_sequence + limit]

    async def unfinished(self) -> list[RunTicket]:
        found = sorted((r.created_at, r.run_id) for r in self.runs.values() if not r.status.final)
        return [self.runs[run_id].ticket for _, run_id in found]


class FakeConversationStore:
    """`ConversationStore` over the conversations of a `FakeStore`."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def create(self, new: NewConversation) -> Conversation:
        key = (new.org_id, new.user_id, new.request_id)
        known = self._store.conversation_requests.get(key)
        if known is not None:
            found = self._store.conversations[known]
            if new.title and found.title != new.title:
                raise lookup_errors.request_id_reused(new.request_id)
            return found
        made = Conversation(new.conversation_id, new.org_id, new.user_id, new.title, new.created_at, new.created_at)
        self._store.conversations[made.conversation_id] = made
        self._store.conversation_requests[key] = made.conversation_id
        return made

    async def get(self, org_id: str, user_id: str, conversation_id: str) -> Conversation:
        found = self._store.conversations.get(conversation_id)
        if found is None or (found.org_id, found.user_id) != (org_id, user_id):
            raise lookup_errors.conversation_not_found(conversation_id)
        return found

    async def page(self, org_id: str, user_id: str, page: PageRequest) -> Page[Conversation]:
        rows = [c for c in self._store.conversations.values() if (c.org_id, c.user_id) == (org_id, user_id)]
        return _page([(row.created_at, row.conversation_id, row) for row in rows], page)

    async def messages(self, org_id: str, conversation_id: str, limit: int) -> list[Message]:
        found = self._store.conversations.get(conversation_id)
        if found is None or found.org_id != org_id:
            return []
        said = self._store.said.get(conversation_id, {})
        return _fitting([said[at] for at in sorted(said)][-limit:])

    async def routings(self, org_id: str, conversation_id: str) -> list[Routing]:
        return list(
            {
                run.routing
                for run in self._store.runs.values()
                if (run.org_id, run.conversation_id) == (org_id, conversation_id)
            }
        )

    async def history(self, run: Run, limit: int) -> list[Message]:
        said = self._store.said.get(run.conversation_id, {})
        asked = next(at for at, message in said.items() if message.run_id == run.run_id)
        return _fitting([said[at] for at in sorted(said) if at < asked][-limit:])

    async def tools_used(self, run: Run) -> list[str]:
        runs = [each for each in self._store.runs.values() if each.conversation_id == run.conversation_id]
        return sorted({call.tool for each in runs if each.org_id == run.org_id for call in each.tool_calls})

    async def delete(self, org_id: str, user_id: str, conversation_id: str, request_id: str) -> list[str]:
        key = (org_id, user_id, request_id)
        found = self._store.conversations.get(conversation_id)
        if found is None or (found.org_id, found.user_id) != (org_id, user_id):
            if request_id and self._store.deletions.get(key) == conversation_id:
                return []
            raise lookup_errors.conversation_not_found(conversation_id)
        runs = [r for r in self._store.runs.values() if r.conversation_id == conversation_id]
        if any(not run.status.final for run in runs):
            raise conversation_busy(conversation_id)
        if request_id and key in self._store.deletions:
            raise lookup_errors.request_id_reused(request_id)
        for run in runs:
            del self._store.runs[run.run_id], self._store.log[run.run_id], self._store.new[run.run_id]
        self._store.said.pop(conversation_id, None)
        del self._store.conversations[conversation_id]
        self._store.deletions[key] = conversation_id
        return [run.run_id for run in runs]


def _page(rows: list, page: PageRequest) -> Page:
    ordered = sorted(rows, key=lambda row: row[:2], reverse=True)
    if page.after:
        after = (page.after.created_us, page.after.row_id)
        ordered = [row for row in ordered if (_us(row[0]), row[1]) < after]
    shown = ordered[: page.size]
    token = token_of(PageMark(_us(shown[-1][0]), shown[-1][1])) if len(ordered) > page.size else ""
    return Page(tuple(row[2] for row in shown), token)


def _fitting(messages: list[Message]) -> list[Message]:
    kept, left = [], MOST_MESSAGES_CHARS
    for message in reversed(messages):
        left -= len(message.text)
        if left < 0:
            break
        kept.insert(0, message)
    return kept


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


Answer = Callable[[ChatRequest], AsyncGenerator[ChatEvent, None]]


def says(
    *pieces: str,
    model: ModelInfo = NATIVE,
    reason: FinishReason = FinishReason.STOP,
    cost_unknown: bool = False,
    cache_hit: CacheHit | None = None,
) -> Answer:
    """Return an answer of these pieces of text."""

    async def answer(_: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        yield ChatStarted(model.name, model.demonstration, cache_hit)
        for piece in pieces:
            yield ChatText(piece)
        yield ChatCompleted(reason, 10, len(pieces), 7, cost_unknown)

    return answer


def asks(*calls: tuple[str, str, str], text: str = "") -> Answer:
    """Return an answer that asks for tool calls, each (id, tool, arguments), the arguments in two pieces."""

    async def answer(_: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        yield ChatStarted(NATIVE.name, NATIVE.demonstration)
        if text:
            yield ChatText(text)
        for index, (call_id, tool, arguments) in enumerate(calls):
            half = len(arguments) // 2
            yield ChatToolCallPart(index, call_id, tool, arguments[:half])
            yield ChatToolCallPart(index, "", "", arguments[half:])
        yield ChatCompleted(FinishReason.TOOL_CALLS, 20, 5, 11)

    return answer


def fails(error: BaseException, *pieces: str) -> Answer:
    """Return an answer that breaks off after these pieces."""

    async def answer(_: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        if pieces:
            yield ChatStarted(NATIVE.name, NATIVE.demonstration)
        for piece in pieces:
            yield ChatText(piece)
        raise error

    return answer


def hangs(*pieces: str) -> Answer:
    """Return an answer that never goes on after these pieces."""

    async def answer(_: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        yield ChatStarted(NATIVE.name, NATIVE.demonstration)
        for piece in pieces:
            yield ChatText(piece)
        await asyncio.Event().wait()

    return answer


class FakeModels:
    """`ModelClient` that gives the scripted answers in order, the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers) or [says("Hello.")]
        self.requests: list[ChatRequest] = []
        self.open = 0

    async def stream(self, request: ChatRequest, timeout_s: float) -> AsyncGenerator[ChatEvent, None]:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.open += 1
        try:
            async for event in answer(request):
                await asyncio.sleep(0)
                yield event
        finally:
            self.open -= 1


@dataclass
class FakePeers:
    """The catalogs and the configuration; each raises its error when there is one."""

    known_models: tuple[ModelInfo, ...] = (NATIVE,)
    known_tools: tuple[Tool, ...] = (CALCULATOR, TIME)
    troubles: tuple[str, ...] = ()
    config: AgentConfig = field(default_factory=AgentConfig)
    router_error: NexusError | None = None
    tools_error: NexusError | None = None
    settings_error: NexusError | None = None
    closed_channels: frozenset[str] = frozenset()

    async def catalogue(self, *, anew: bool = False) -> Catalogue:
        if self.router_error:
            raise self.router_error
        return Catalogue(self.known_models, self.troubles)

    async def tools(self, origin: Origin) -> tuple[Tool, ...]:
        if self.tools_error:
            raise self.tools_error
        return () if origin.channel in self.closed_channels else self.known_tools

    async def fitting(self, origin: Origin, question: str, most: int) -> tuple[Tool, ...]:
        words = set(question.lower().split())
        return tuple(tool for tool in self.known_tools if words & set(tool.description.lower().split()))[:most]

    async def agent_config(self) -> AgentConfig:
        if self.settings_error:
            raise self.settings_error
        return self.config


class FakeToolRunner:
    """`ToolRunner` that answers `4`, or as told for a tool by name; keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[ToolRequest] = []
        self.behaviour: dict[str, Callable[[ToolRequest], Awaitable[ToolOutcome]]] = {}

    async def run(self, request: ToolRequest) -> ToolOutcome:
        self.requests.append(request)
        behaviour = self.behaviour.get(request.tool)
        if behaviour:
            return await behaviour(request)
        return ToolOutcome(ok=True, output_json='{"result":"4"}', summary="2+2 = 4", duration_ms=3)


class FakeEmbedder:
    """`Embedder` of bags of words: texts with the same words are alike."""

    SIZE = 256

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.routings: list[Routing] = []
        self.error: NexusError | None = None
        self.most_chars = 1_000_000

    async def embed(self, texts: Sequence[str], routing: Routing = DEFAULT_ROUTING) -> list[tuple[float, ...]]:
        self.routings.append(routing)
        if self.error:
            raise self.error
        if any(len(text) > self.most_chars for text in texts):
            raise InvalidInput("CONTEXT_TOO_LONG", "The model has less context.")
        self.calls.append(len(texts))
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> tuple[float, ...]:
        vector = [0.0] * self.SIZE
        for word in "".join(c if c.isalnum() else " " for c in text.lower()).split():
            vector[hashlib.sha256(word.encode()).digest()[0] % self.SIZE] += 1.0
        length = math.sqrt(sum(value * value for value in vector)) or 1.0
        return tuple(value / length for value in vector)


class FakeGraph:
    """`AgentGraph` in memory. `die_after` names a node behind whose checkpoint the process dies, once."""

    def __init__(self) -> None:
        self.checkpoints: dict[str, tuple[AgentState, str]] = {}
        self.die_after = ""

    async def drive(self, run_id: str, steps: AgentSteps, *, most_nodes: int, resume: bool) -> AgentState:
        state, node = (
            self.checkpoints.get(run_id, (initial_state(), "prepare"))
            if resume
            else (
                initial_state(),
                "prepare",
            )
        )
        nodes = 0
        while node != "end":
            nodes += 1
            assert nodes <= most_nodes, "the graph does not end"
            state = {**state, **await getattr(steps, node)(state)}
            done, node = node, _next(node, state)
            self.checkpoints[run_id] = (state, node)
            if done == self.die_after:
                self.die_after = ""
                raise asyncio.CancelledError
        return state

    async def state_of(self, run_id: str) -> AgentState | None:
        known = self.checkpoints.get(run_id)
        return known[0] if known else None

    async def forget(self, run_ids: Collection[str]) -> None:
        for run_id in run_ids:
            self.checkpoints.pop(run_id, None)

    async def forget_all_but(self, run_ids: Collection[str]) -> None:
        await self.forget([known for known in self.checkpoints if known not in run_ids])


def _next(node: str, state: AgentState) -> str:
    match node:
        case "prepare" | "tools":
            return "model"
        case "model":
            return after_model(state)
        case "validate":
            return after_validate(state)
        case _:
            return "end"


@dataclass
class FakeRunner:
    """`RunRunner` that only notes what it was told."""

    submitted: list[str] = field(default_factory=list)
    cancelled: list[tuple[str, str]] = field(default_factory=list)
    full: NexusError | None = None

    def check_room(self) -> None:
        if self.full:
            raise self.full

    def submit(self, run: RunTicket) -> None:
        self.submitted.append(run.run_id)

    async def cancel(self, run: RunTicket, user_id: str) -> None:
        self.cancelled.append((run.run_id, user_id))


ROUTER_DOWN = UpstreamDown("PROVIDER_UNREACHABLE", "The provider cannot be reached.")


def other(org_id: str = "org-b", user_id: str = "user-2") -> Principal:
    """Return somebody else."""
    return principal(org_id=org_id, user_id=user_id)
