"""A whole answer, put together from its events."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import StringIO

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
from provider_router.domain.calls.growing_text import growing_text
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
    limited_to: int = 0
    stop_text: str = ""
    wire: bytes = b""


_JOINED_PARTS = 512
_IN_WIRE = Message(Role.ASSISTANT, "")


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: StringIO = field(default_factory=growing_text)


class AnswerBuilder:
    """Collects the events of one stream. Its pieces may be of one character each, so they are not kept one by one."""

    def __init__(self) -> None:
        self._started: Started | None = None
        self._completed: Completed | None = None
        self._text = growing_text()
        self._calls: dict[int, _Call] = {}
        self._continuations: list[Continued] = []
        self._parts: list[Part] = []
        self._newest: list[Part] = []

    def add(self, event: ChatEvent) -> None:
        """Takes the next event."""
        match event:
            case Started():
                self._started = event
            case TextDelta():
                self._text.write(event.text)
                self._take(RefusalPart(event.text) if event.refusal else TextPart(event.text))
            case ThinkingDelta():
                self._take(ThinkingPart(event.text, event.signature, event.redacted))
            case Relayed():
                for said in event.events:
                    self.add(said)
            case ToolCallDelta():
                call = self._calls.setdefault(event.index, _Call())
                call.id = call.id or event.id
                call.name = call.name or event.name
                call.arguments.write(event.arguments_json)
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
            limited_to=started.limited_to,
            stop_text=completed.stop_text,
            wire=completed.wire,
        )

    def _take(self, part: Part) -> None:
        self._newest.append(part)
        if len(self._newest) >= _JOINED_PARTS:
            self._parts += joined(self._newest)
            self._newest.clear()

    def _message(self) -> Message:
        parts = joined([*self._parts, *self._newest])
        is_plain = all(isinstance(part, TextPart) for part in parts)
        called = [call for _, call in sorted(self._calls.items())]
        calls = tuple(ToolCall(call.id, call.name, call.arguments.getvalue()) for call in called)
        return Message(Role.ASSISTANT, self._text.getvalue(), calls, parts=() if is_plain else parts)
