"""A whole answer, put together from its events."""

from __future__ import annotations

from dataclasses import dataclass, field

from provider_router.domain.calls.chat import FinishReason, Message, Role, ToolCall
from provider_router.domain.calls.content import Part, RefusalPart, TextPart, ThinkingPart, joined
from provider_router.domain.calls.events import (
    Attempt,
    CacheHit,
    ChatEvent,
    Completed,
    Continued,
    Relayed,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
)
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.errors import Reason, failure


@dataclass(frozen=True, slots=True)
class Answer:
    """A completed chat; the fields mean what they mean in `Started` and `Completed`.

    Attributes:
        message: Empty where the whole answer stands in `wire`.
        continuations: Where one model broke off and another went on, in order.
    """

    model: str
    message: Message
    finish_reason: FinishReason
    usage: TokenUsage | None
    cost_micro_usd: int
    attempts: tuple[Attempt, ...]
    demonstration: bool
    decision_id: str = ""
    cache_hit: CacheHit | None = None
    continuations: tuple[Continued, ...] = ()
    cost_unknown: bool = False
    dropped: tuple[str, ...] = ()
    stop_text: str = ""
    wire: bytes = b""


_IN_WIRE = Message(Role.ASSISTANT, "")


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])


class AnswerBuilder:
    """Collects the events of one stream."""

    def __init__(self) -> None:
        self._started: Started | None = None
        self._completed: Completed | None = None
        self._texts: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._continuations: list[Continued] = []
        self._parts: list[Part] = []

    def add(self, event: ChatEvent) -> None:
        """Takes the next event."""
        match event:
            case Started():
                self._started = event
            case TextDelta():
                self._texts.append(event.text)
                self._parts.append(RefusalPart(event.text) if event.refusal else TextPart(event.text))
            case ThinkingDelta():
                self._parts.append(ThinkingPart(event.text, event.signature, event.redacted))
            case Relayed():
                for said in event.events:
                    self.add(said)
            case ToolCallDelta():
                call = self._calls.setdefault(event.index, _Call())
                call.id = call.id or event.id
                call.name = call.name or event.name
                call.arguments.append(event.arguments_json)
            case Continued():
                self._continuations.append(event)
            case Completed():
                self._completed = event

    def answer(self) -> Answer:
        """The whole answer.

        Raises:
            UpstreamDown: STREAM_BROKEN, when the stream had no start or no end.
        """
        started, completed = self._started, self._completed
        if started is None or completed is None:
            raise failure(Reason.STREAM_BROKEN, "The answer broke off before its end.")
        return Answer(
            model=started.model,
            message=_IN_WIRE if completed.wire else self._message(),
            finish_reason=completed.finish_reason,
            usage=completed.usage,
            cost_micro_usd=completed.cost_micro_usd,
            attempts=started.attempts,
            demonstration=started.demonstration,
            decision_id=started.decision_id,
            cache_hit=started.cache_hit,
            continuations=tuple(self._continuations),
            cost_unknown=completed.cost_unknown,
            dropped=started.dropped,
            stop_text=completed.stop_text,
            wire=completed.wire,
        )

    def _message(self) -> Message:
        parts = joined(self._parts)
        is_plain = all(isinstance(part, TextPart) for part in parts)
        calls = tuple(ToolCall(call.id, call.name, "".join(call.arguments)) for _, call in sorted(self._calls.items()))
        return Message(Role.ASSISTANT, "".join(self._texts), calls, parts=() if is_plain else parts)
