"""What the scripted provider shall do: replies, faults, and rules that choose between them.

Everything here is data. A fault either stands for the whole response (`Status`, `Garbage`,
`WrongContentType`, `EmptyBody`) or spoils an otherwise good `reply`.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from shared.testing.scripted_provider.reply import Reply, ToolCall
from shared.testing.scripted_provider.request import ProviderRequest

UUID_OF_THE_USER = "$UUID"
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_SPOILED = Reply(text="This answer will not reach its end as it should, whatever it says.")


@dataclass(frozen=True, slots=True)
class Status:
    """An HTTP error. `retry_after` goes into the header of that name as it is."""

    code: int = 500
    retry_after: str | None = None
    body: str | None = None
    type: Literal["status"] = "status"


@dataclass(frozen=True, slots=True)
class Hang:
    """Says nothing more, for as long as the client stays; `mid_stream` after so many pieces of content."""

    before: Literal["headers", "first_token", "mid_stream"] = "headers"
    reply: Reply = _SPOILED
    after_chunks: int = 1
    type: Literal["hang"] = "hang"


@dataclass(frozen=True, slots=True)
class Reset:
    """Resets the TCP connection: before the head of the response, or after some pieces of content."""

    after_chunks: int = 1
    reply: Reply = _SPOILED
    before: Literal["headers", ""] = ""
    type: Literal["reset"] = "reset"


@dataclass(frozen=True, slots=True)
class Truncate:
    """Ends the HTTP body cleanly after some pieces of content, without the end of the answer."""

    after_chunks: int = 1
    reply: Reply = _SPOILED
    type: Literal["truncate"] = "truncate"


@dataclass(frozen=True, slots=True)
class Garbage:
    """Sends bytes that are no JSON under the right content type, after some pieces of content."""

    after_chunks: int = 0
    reply: Reply = _SPOILED
    type: Literal["garbage"] = "garbage"


@dataclass(frozen=True, slots=True)
class WrongContentType:
    """Sends an HTML page with status 200, as a captive portal does."""

    type: Literal["wrong_content_type"] = "wrong_content_type"


@dataclass(frozen=True, slots=True)
class EmptyBody:
    """Sends status 200 and nothing else."""

    type: Literal["empty_body"] = "empty_body"


@dataclass(frozen=True, slots=True)
class ErrorInStream:
    """Sends an error object in the dialect's form after some pieces, under status 200."""

    after_chunks: int = 1
    message: str = "The server had an error while processing the request."
    reply: Reply = _SPOILED
    type: Literal["error_in_stream"] = "error_in_stream"


@dataclass(frozen=True, slots=True)
class EndlessStream:
    """Sends text until the client leaves, one piece each `chunk_delay_s` seconds."""

    text: str = "and on and on "
    chunk_delay_s: float = 0.001
    type: Literal["endless_stream"] = "endless_stream"


@dataclass(frozen=True, slots=True)
class MissingUsage:
    """Sends a good reply that does not say what it used."""

    reply: Reply = _SPOILED
    type: Literal["missing_usage"] = "missing_usage"


@dataclass(frozen=True, slots=True)
class DuplicateFinish:
    """Sends the end of a streamed answer twice."""

    reply: Reply = _SPOILED
    type: Literal["duplicate_finish"] = "duplicate_finish"


Action: TypeAlias = (
    Reply
    | Status
    | Hang
    | Reset
    | Truncate
    | Garbage
    | WrongContentType
    | EmptyBody
    | ErrorInStream
    | EndlessStream
    | MissingUsage
    | DuplicateFinish
)


@dataclass(frozen=True, slots=True)
class Rule:
    """An action for the requests that fit every condition that is set.

    Attributes:
        then: What to do.
        user_contains: Text within the last message of the user, upper and lower case alike.
        has_tool_results: Whether tool results stand after that message.
        model: The model's name as sent.
        times: How often the rule applies; None for always.
        tool_results: How many tool results stand after that message: a step of an agent that takes several.
    """

    then: Action
    user_contains: str | None = None
    has_tool_results: bool | None = None
    model: str | None = None
    times: int | None = None
    tool_results: int | None = None

    def fits(self, request: ProviderRequest) -> bool:
        """Return whether every condition that is set holds for the request."""
        wanted = (self.user_contains or "").lower()
        return (
            wanted in request.last_user_text.lower()
            and self.has_tool_results in (None, bool(request.tool_results))
            and self.tool_results in (None, len(request.tool_results))
            and self.model in (None, request.model)
        )


@dataclass(slots=True)
class Script:
    """A queue of actions, used up one a chat request, and rules asked when it is empty."""

    queue: deque[Action] = field(default_factory=deque[Action])
    rules: list[Rule] = field(default_factory=list[Rule])
    _used: dict[int, int] = field(default_factory=dict[int, int])

    def next_action(self, request: ProviderRequest) -> Action | None:
        """Return what to do about a request; None when the script says nothing about it."""
        if self.queue:
            return self.queue.popleft()
        for index, rule in enumerate(self.rules):
            used = self._used.get(index, 0)
            if rule.fits(request) and (rule.times is None or used < rule.times):
                self._used[index] = used + 1
                return _filled(rule.then, request)
        return None


def _filled(action: Action, request: ProviderRequest) -> Action:
    """Return the action with the user's first UUID in place of `UUID_OF_THE_USER` in the arguments of tool calls."""
    found = _UUID.search(request.last_user_text)
    if not isinstance(action, Reply) or not action.tool_calls or found is None:
        return action
    calls = [
        ToolCall(call.name, call.arguments_json.replace(UUID_OF_THE_USER, found[0]), call.call_id)
        for call in action.calls()
    ]
    return replace(action, tool_calls=tuple(calls))
