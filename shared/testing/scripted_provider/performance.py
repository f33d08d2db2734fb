"""Turns an action into steps on the wire: a pure function, one case for each kind of action."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import TypeAlias

import orjson

from shared.testing.scripted_provider import script
from shared.testing.scripted_provider.dialect import Answer, Dialect, Frames, counted_usage
from shared.testing.scripted_provider.reply import Reply
from shared.testing.scripted_provider.request import ProviderRequest

_JSON = "application/json"
_SSE = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Write:
    """Sends bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Waits, in seconds."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Forever:
    """Waits until the client leaves or the provider stops."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Resets the TCP connection; always the last step."""


Step: TypeAlias = Write | Pause | Forever | Abort


@dataclass(frozen=True, slots=True)
class Performance:
    """One HTTP response. `content_length` is None for a chunked body."""

    steps: Iterable[Step]
    status: int = 200
    content_type: str = _JSON
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content_length: int | None = None
    before_headers: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """Where an action is performed: the request, the client's dialect, the id of the response."""

    request: ProviderRequest
    dialect: Dialect
    response_id: str

    def frames(self, reply: Reply, *, with_usage: bool = True) -> Frames:
        """Return the reply in parts: events of a stream, or the halves of a whole body."""
        usage = counted_usage(reply, self.request) if with_usage else None
        answer = Answer(reply, self.request, self.response_id, usage)
        if self.request.stream:
            return self.dialect.frames(answer)
        body = orjson.dumps(self.dialect.whole(answer))
        middle = len(body) // 2
        return Frames(opening=(), content=(body[:middle], body[middle:]), finish=(), end=())

    def response(self, steps: Iterable[Step]) -> Performance:
        """Return a good response of the kind that was asked for, with a chunked body."""
        return Performance(steps, content_type=_SSE if self.request.stream else _JSON)

    def sent(self, frames: Frames, delay_s: float) -> Performance:
        """Return a complete response made of the frames."""
        performance = self.response(_steps(frames.everything(), frames, delay_s))
        if self.request.stream:
            return performance
        return replace(performance, content_length=sum(map(len, frames.everything())))

    def cut(self, reply: Reply, after_chunks: int, *then: Step) -> Performance:
        """Return a response that breaks off after some pieces of content."""
        frames = self.frames(reply)
        if not self.request.stream:
            # A whole body has two pieces.
            after_chunks = min(after_chunks, 1)
        kept = frames.opening + frames.content[:after_chunks]
        return self.response([*_steps(kept, frames, reply.chunk_delay_s), *then])


def _steps(data: Iterable[bytes], frames: Frames, delay_s: float) -> Iterator[Step]:
    content = set(frames.content)
    for piece in data:
        if delay_s > 0 and piece in content:
            yield Pause(delay_s)
        yield Write(piece)


@singledispatch
def perform(action: object, stage: Stage) -> Performance:
    """Return the response that an action stands for. Raises TypeError for no action at all."""
    raise TypeError(f"not an action: {action!r} for {stage.request.path}")


@perform.register
def _(action: Reply, stage: Stage) -> Performance:
    return stage.sent(stage.frames(action), action.chunk_delay_s)


@perform.register
def _(action: script.Status, stage: Stage) -> Performance:
    body = action.body
    if body is None:
        body = orjson.dumps(stage.dialect.error(action.code, f"Scripted status {action.code}.")).decode()
    headers = {} if action.retry_after is None else {"retry-after": action.retry_after}
    return Performance([Write(body.encode())], status=action.code, headers=headers)


@perform.register
def _(action: script.Hang, stage: Stage) -> Performance:
    if action.before == "headers":
        return replace(stage.response([]), before_headers=(Forever(),))
    if action.before == "first_token":
        opening = [Write(piece) for piece in stage.frames(action.reply).opening]
        return stage.response([*opening, Forever()])
    return stage.cut(action.reply, action.after_chunks, Forever())


@perform.register
def _(action: script.Reset, stage: Stage) -> Performance:
    if action.before == "headers":
        return replace(stage.response([]), before_headers=(Abort(),))
    return stage.cut(action.reply, action.after_chunks, Abort())


@perform.register
def _(action: script.Truncate, stage: Stage) -> Performance:
    return stage.cut(action.reply, action.after_chunks)


@perform.register
def _(action: script.Garbage, stage: Stage) -> Performance:
    garbage = b'{"id": \xff\xfe<<not json'
    if not stage.request.stream:
        return stage.response([Write(garbage)])
    spoiled = Write(b"data: " + garbage + b"\n\n")
    return stage.cut(action.reply, action.after_chunks, spoiled) if action.after_chunks else stage.response([spoiled])


@perform.register
def _(_action: script.WrongContentType, _stage: Stage) -> Performance:
    page = b"<!doctype html><title>Sign in</title><p>Please sign in to the network."
    return Performance([Write(page)], content_type="text/html")


@perform.register
def _(_action: script.EmptyBody, stage: Stage) -> Performance:
    return replace(stage.response([]), content_length=0)


@perform.register
def _(action: script.ErrorInStream, stage: Stage) -> Performance:
    if not stage.request.stream:
        return Performance([Write(orjson.dumps(stage.dialect.error(500, action.message)))])
    return stage.cut(action.reply, action.after_chunks, Write(stage.dialect.error_event(action.message)))


@perform.register
def _(action: script.EndlessStream, stage: Stage) -> Performance:
    frames = stage.frames(Reply(text=action.text * 2, chunk_size=len(action.text)))
    opening = [Write(piece) for piece in frames.opening]
    # A whole body that never ends is white space: legal before any JSON value.
    if not stage.request.stream:
        return stage.response(itertools.cycle([Write(b" " * 64), Pause(action.chunk_delay_s)]))
    # The first piece opens what the second one adds to, for ever.
    more = max(index for index, piece in enumerate(frames.content) if b"delta" in piece)
    round_ = [Pause(action.chunk_delay_s), Write(frames.content[more])]
    started = [Write(piece) for piece in frames.content[:more]]
    return stage.response(itertools.chain(opening, started, itertools.cycle(round_)))


@perform.register
def _(action: script.MissingUsage, stage: Stage) -> Performance:
    return stage.sent(stage.frames(action.reply, with_usage=False), action.reply.chunk_delay_s)


@perform.register
def _(action: script.DuplicateFinish, stage: Stage) -> Performance:
    frames = stage.frames(action.reply)
    return stage.sent(replace(frames, finish=frames.finish * 2), action.reply.chunk_delay_s)
