"""Reads one choice of an answer: whole in a message, or piece by piece in deltas, which have the same fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.adapters.http.answer_bounds import AnswerBounds
from provider_router.adapters.http.json_fields import MalformedAnswerError, as_count, as_list, as_object, as_text
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import Delta, Finished
from provider_router.domain.calls.usage import TokenUsage

_FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    # Mistral's.
    "model_length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}
# What OpenRouter, Zhipu, DeepSeek and vLLM say of answers that they could not finish.
_BROKEN = frozenset({"error", "network_error", "insufficient_system_resource", "abort"})


class ChoiceReader:
    """Turns what one choice says into the router's events.

    Tool calls are numbered anew from 0, since servers differ: some leave out the index, some give several calls
    one index and tell them apart by id, some repeat id and name in each piece.
    """

    def __init__(self) -> None:
        self._bounds = AnswerBounds()
        self._finish: FinishReason | None = None
        self._stop_text = ""
        self._refused = False
        # By the server's index: our index and the call's id.
        self._calls: dict[int, tuple[int, str]] = {}

    def read(self, said: Mapping[str, Any], told: list[Any]) -> None:
        """Takes the fields of a message or a delta, and adds what they say to `told`.

        Raises:
            MalformedAnswerError: It is not of the dialect, or too large.
        """
        text = said.get("content")
        if text and len(said) == 1:
            # The most common piece by far.
            told.append(self._bounds.text(as_text(text)))
            return
        thought = said.get("reasoning_content") or said.get("reasoning")
        if thought and isinstance(thought, str):
            told.append(self._bounds.thinking(thought))
        if text:
            told.append(self._bounds.text(as_text(text)))
        refusal = as_text(said.get("refusal"))
        if refusal:
            self._refused = True
            told.append(self._bounds.text(refusal, refusal=True))
        calls = said.get("tool_calls")
        if calls is not None:
            for position, call in enumerate(map(as_object, as_list(calls))):
                self._tool_call(call, position, told)

    def end(self, choice: Mapping[str, Any], told: list[Any]) -> None:
        """Takes the fields of a choice that tell how it ended, and adds what is missing to `told`.

        Raises:
            MalformedAnswerError: The server could not finish it.
        """
        word = as_text(choice.get("finish_reason"))
        if word in _BROKEN:
            raise MalformedAnswerError("it broke off by an error")
        self._finish = _FINISH_REASONS.get(word, FinishReason.STOP)
        # vLLM names the text, or the number of the token, that ended the answer.
        stop_text = choice.get("stop_reason")
        self._stop_text = stop_text if isinstance(stop_text, str) else ""
        told += self._bounds.missing_arguments()

    def finished(self, usage: TokenUsage | None) -> Finished:
        """Returns how the answer ended.

        Raises:
            MalformedAnswerError: It did not end; it broke off.
        """
        if self._finish is None:
            raise MalformedAnswerError("it broke off without a finish reason")
        reason = FinishReason.CONTENT_FILTER if self._refused else self._bounds.finish(self._finish)
        return Finished(reason, usage, stop_text=self._stop_text)

    def _tool_call(self, call: Mapping[str, Any], position: int, told: list[Delta]) -> None:
        # The arguments of a custom tool are its input, which is text.
        function = as_object(call.get("function") or call.get("custom"))
        call_id = as_text(call.get("id"))
        raw_index = position if call.get("index") is None else as_count(call["index"])
        known = self._calls.get(raw_index)
        if known is None or (call_id and known[1] and call_id != known[1]):
            opening = self._bounds.open_call(call_id, as_text(function.get("name")))
            known = self._calls[raw_index] = (opening.index, call_id)
            told.append(opening)
        piece = function.get("arguments")
        arguments = as_text(function.get("input") if piece is None else piece)
        if arguments:
            told.append(self._bounds.arguments(known[0], arguments))
