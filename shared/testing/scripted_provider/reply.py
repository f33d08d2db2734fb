"""A good answer, whatever the dialect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that the provider claims to have counted.

    Attributes:
        input_tokens: Of the prompt: those of its cache and all others.
        output_tokens: Generated, reasoning included.
        cached_input_tokens: Of the prompt, read from the cache.
        reasoning_tokens: Generated as reasoning.
        cache_write_input_tokens: Of the prompt, written to the cache.
        unlisted_tokens: Generated besides, and counted in the total alone, as Gemini counts thoughts (OpenAI dialect
            only).
        billed_usd: What the provider says that it charges, as Perplexity does (Responses dialect only).
    """

    input_tokens: int = 10
    output_tokens: int = 5
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_input_tokens: int = 0
    unlisted_tokens: int = 0
    billed_usd: float | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call that the reply asks for; `arguments_json` is sent as it is, valid or not."""

    name: str
    arguments_json: str = "{}"
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer.

    Attributes:
        text: The text, sent in pieces of `chunk_size` characters when streamed.
        tool_calls: `ToolCall`s, or pairs of name and arguments.
        finish_reason: None for the one that fits.
        usage: None to count words.
        chunk_delay_s: Pause before each piece, in seconds.
        chunk_size: Characters a piece, for text and tool arguments alike; at least 1.
        interleave: Whether pieces of parallel tool calls alternate (OpenAI dialect only).
        thinking: What the model thinks before it speaks, in pieces like the text.
        signature: Of the thoughts, in the dialects that sign them.
        redacted: Thoughts that only the provider can read (not in the chat completions dialect).
        refusal: What it says instead of an answer.
        stop_text: The text that ended the answer (Messages dialect only).
    """

    text: str = ""
    tool_calls: tuple[ToolCall | tuple[str, str], ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    chunk_delay_s: float = 0.0
    chunk_size: int = 8
    interleave: bool = False
    thinking: str = ""
    signature: str = ""
    redacted: str = ""
    refusal: str = ""
    stop_text: str = ""
    type: Literal["reply"] = "reply"

    def calls(self) -> tuple[ToolCall, ...]:
        """Return the tool calls, each with an id."""
        as_calls = (call if isinstance(call, ToolCall) else ToolCall(*call) for call in self.tool_calls)
        return tuple(
            call if call.call_id else ToolCall(call.name, call.arguments_json, f"call_{index}")
            for index, call in enumerate(as_calls)
        )

    def finish(self) -> FinishReason:
        """Return the finish reason that is sent."""
        return self.finish_reason or ("tool_calls" if self.tool_calls else "stop")
