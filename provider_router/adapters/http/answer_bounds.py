"""What any one answer may hold, and how its parts fit together, whatever the dialect."""

from __future__ import annotations

from provider_router.adapters.http.json_fields import MalformedAnswerError
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import TextDelta, ThinkingDelta, ToolCallDelta

_TEXT_CAP = 4 * 1024 * 1024
_ARGUMENTS_CAP = 1024 * 1024
_CALLS_CAP = 128


class AnswerBounds:
    """Counts what one answer holds, so that an endless one does not fill anybody's memory."""

    def __init__(self) -> None:
        self._text_length = 0
        self._arguments_length = 0
        # Whether each tool call, by its index, has arguments yet.
        self._has_arguments: list[bool] = []

    def text(self, text: str, *, refusal: bool = False) -> TextDelta:
        """Returns the delta of `text`, which may be a refusal.

        Raises:
            MalformedAnswerError: Texts and thoughts are longer than 4 Mi characters in all.
        """
        self._text_length += len(text)
        if self._text_length > _TEXT_CAP:
            raise MalformedAnswerError("its text is too long")
        return TextDelta(text, refusal)

    def thinking(self, text: str = "", *, signature: str = "", redacted: str = "") -> ThinkingDelta:
        """Returns the delta of a thought; the arguments are the fields of `ThinkingDelta`.

        Raises:
            MalformedAnswerError: Texts and thoughts are longer than 4 Mi characters in all.
        """
        self._text_length += len(text) + len(signature) + len(redacted)
        if self._text_length > _TEXT_CAP:
            raise MalformedAnswerError("its text is too long")
        return ThinkingDelta(text, signature, redacted)

    def open_call(self, call_id: str, name: str) -> ToolCallDelta:
        """Returns the first delta of the next tool call; a missing id is made from its index.

        Raises:
            MalformedAnswerError: It has no name, or there are more than 128.
        """
        index = len(self._has_arguments)
        self._has_arguments.append(False)
        if not name:
            raise MalformedAnswerError("a tool call has no name")
        if index >= _CALLS_CAP:
            raise MalformedAnswerError("it has too many tool calls")
        return ToolCallDelta(index, call_id or f"call_{index}", name, "")

    def arguments(self, index: int, piece: str) -> ToolCallDelta:
        """Returns the delta of more arguments of the call `index`.

        Raises:
            MalformedAnswerError: The arguments of all calls are longer than 1 Mi characters.
        """
        self._arguments_length += len(piece)
        if self._arguments_length > _ARGUMENTS_CAP:
            raise MalformedAnswerError("its tool arguments are too long")
        self._has_arguments[index] = True
        return ToolCallDelta(index, "", "", piece)

    def missing_arguments(self) -> list[ToolCallDelta]:
        """Returns `{}` for each call that came without arguments, so that arguments are always one JSON object."""
        if not self._has_arguments:
            return []
        empty = [index for index, has_arguments in enumerate(self._has_arguments) if not has_arguments]
        return [self.arguments(index, "{}") for index in empty]

    def finish(self, reason: FinishReason) -> FinishReason:
        """Returns `reason`, made to agree with the tool calls: some servers say `stop` after them."""
        if self._has_arguments and reason is FinishReason.STOP:
            return FinishReason.TOOL_CALLS
        if not self._has_arguments and reason is FinishReason.TOOL_CALLS:
            return FinishReason.STOP
        return reason
