"""Decodes streamed chat completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provider_router.adapters.http.chat_stream import AT_WORK, Decoded
from provider_router.adapters.http.faults import fault_in_stream
from provider_router.adapters.http.json_fields import (
    MalformedAnswerError,
    as_count,
    as_list,
    as_object,
    parsed_object,
)
from provider_router.adapters.openai.choice import ChoiceReader
from provider_router.adapters.openai.usage import usage_of
from provider_router.domain.calls.events import Finished
from provider_router.domain.calls.usage import TokenUsage

_DONE = b"[DONE]"
_NOTHING = TokenUsage()


class OpenAIDecoder:
    """Implements `Decoder` for chat completions. Of several choices, the first is what the router understands.

    Args:
        provider: Its name, for errors.
        tells_usage: Whether a caller of the dialect asked for the chunk that has the tokens used and nothing else. The
            provider is always asked for it.
        choices: How many were asked for. A provider that ends its stream well may have made fewer.
    """

    def __init__(self, provider: str, *, tells_usage: bool = True, choices: int = 1) -> None:
        self._provider = provider
        self._tells_usage = tells_usage
        self._choice = ChoiceReader()
        self._usage: TokenUsage | None = None
        self._is_count = False
        self._done = False
        # Choices besides the first.
        self._expected = set(range(1, choices))
        self._begun: set[int] = set()
        self._ended: set[int] = set()

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
        usage, choices = chunk.get("usage"), as_list(chunk.get("choices"))
        self._is_count = usage is not None and not choices
        if usage is not None:
            self._count(usage)
        decoded: list[Decoded] = []
        for choice in choices:
            self._read(as_object(choice), decoded)
        return decoded

    def wire(self, data: bytes) -> bytes:
        """See `Decoder.wire`."""
        if data == _DONE or (self._is_count and not self._tells_usage):
            return b""
        if b"\n" in data:
            data = data.replace(b"\n", b"\ndata: ")
        return b"data: " + data + b"\n\n"

    def end(self) -> Finished:
        """Returns how the answer ended."""
        due = self._begun if self._done else self._begun | self._expected
        if due - self._ended:
            raise MalformedAnswerError("one of its choices broke off without a finish reason")
        return self._choice.finished(self._usage)

    def _count(self, value: Any) -> None:
        """Some servers count once, at the end, some in each chunk: every count is of the answer so far."""
        usage = usage_of(value)
        if usage is not None and (self._usage is None or usage != _NOTHING):
            self._usage = usage

    def _read(self, choice: Mapping[str, Any], decoded: list[Decoded]) -> None:
        index, is_last = choice.get("index"), bool(choice.get("finish_reason"))
        if not index:
            self._choice.read(as_object(choice.get("delta")), decoded)
            if is_last:
                self._choice.end(choice, decoded)
            return
        decoded.append(AT_WORK)
        self._begun.add(as_count(index))
        if is_last:
            self._ended.add(as_count(index))
