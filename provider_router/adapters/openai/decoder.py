"""Decodes streamed chat completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provider_router.adapters.http.answer_bounds import AnswerBounds
from provider_router.adapters.http.chat_stream import AT_WORK, Decoded
from provider_router.adapters.http.faults import fault_in_stream
from provider_router.adapters.http.json_fields import (
    MalformedAnswerError,
    as_count,
    as_list,
    as_object,
    as_text,
    parsed_object,
)
from provider_router.adapters.openai.usage import usage_of
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import Finished
from provider_router.domain.calls.usage import TokenUsage

_DONE = b"[DONE]"
_NOTHING = TokenUsage()
_FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}


class OpenAIDecoder:
    """Implements `Decoder` for chat completions.

    Tool calls are numbered anew from 0, since servers differ: some leave out the index, some give several calls
    one index and tell them apart by id, some repeat id and name in each piece.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._bounds = AnswerBounds()
        self._finish: FinishReason | None = None
        self._usage: TokenUsage | None = None
        self._refused = False
        self._done = False
        # By the server's index: our index and the call's id.
        self._calls: dict[int, tuple[int, str]] = {}

    @property
    def is_done(self) -> bool:
        """Whether `[DONE]` came."""
        return self._done

    def decode(self, data: bytes) -> Sequence[Decoded]:
        """Takes the data of the next event."""
        if data == _DONE:
            self._done = True
            return ()
        chunk = parsed_object(data)
        if chunk.get("error"):
            raise fault_in_stream(self._provider, chunk["error"])
        usage = chunk.get("usage")
        if usage is not None:
            self._count(usage)
        decoded: list[Decoded] = []
        for choice in map(as_object, as_list(chunk.get("choices"))):
            if as_count(choice.get("index")) == 0:
                self._choice(choice, decoded)
        return decoded

    def wire(self, data: bytes) -> bytes:
        """See `Decoder.wire`."""
        return b"" if data == _DONE else b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"

    def end(self) -> Finished:
        """Returns how the answer ended."""
        if self._finish is None:
            raise MalformedAnswerError("it broke off without a finish reason")
        reason = FinishReason.CONTENT_FILTER if self._refused else self._bounds.finish(self._finish)
        return Finished(reason, self._usage)

    def _count(self, value: Any) -> None:
        """Some servers count once, at the end, some in each chunk: every count is of the answer so far."""
        usage = usage_of(value)
        if usage is not None and (self._usage is None or usage != _NOTHING):
            self._usage = usage

    def _choice(self, choice: Mapping[str, Any], decoded: list[Decoded]) -> None:
        delta = as_object(choice.get("delta"))
        if as_text(delta.get("reasoning_content") or delta.get("reasoning")):
            decoded.append(AT_WORK)
        refusal = as_text(delta.get("refusal"))
        self._refused = self._refused or bool(refusal)
        text = as_text(delta.get("content")) or refusal
        if text:
            decoded.append(self._bounds.text(text))
        calls = delta.get("tool_calls")
        if calls is not None:
            for position, call in enumerate(map(as_object, as_list(calls))):
                self._tool_call(call, position, decoded)
        finish = as_text(choice.get("finish_reason"))
        if finish:
            self._finish = _FINISH_REASONS.get(finish, FinishReason.STOP)
            decoded.extend(self._bounds.missing_arguments())

    def _tool_call(self, call: Mapping[str, Any], position: int, decoded: list[Decoded]) -> None:
        function = as_object(call.get("function"))
        call_id = as_text(call.get("id"))
        raw_index = position if call.get("index") is None else as_count(call["index"])
        known = self._calls.get(raw_index)
        if known is None or (call_id and known[1] and call_id != known[1]):
            opening = self._bounds.open_call(call_id, as_text(function.get("name")))
            known = self._calls[raw_index] = (opening.index, call_id)
            decoded.append(opening)
        arguments = as_text(function.get("arguments"))
        if arguments:
            decoded.append(self._bounds.arguments(known[0], arguments))
