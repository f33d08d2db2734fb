"""A request as the scripted provider understood it, whatever its dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of one tool call that the client sent back."""

    call_id: str
    name: str
    content: str


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """One request, recorded.

    Attributes:
        path: Path of the URL.
        body: The parsed JSON body, untouched.
        headers: Lower-case names; the credentials' values are replaced by `<present>`.
        model: The model asked for.
        stream: Whether a stream was asked for.
        last_user_text: The newest text of the user; empty when there is none.
        tool_results: Tool results after that text, in order.
        tools: JSON Schema of the arguments of each offered tool, by name, in order.
        include_usage: Whether a stream shall report its usage.
    """

    path: str
    body: JsonObject = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    model: str = ""
    stream: bool = False
    last_user_text: str = ""
    tool_results: tuple[ToolResult, ...] = ()
    tools: Mapping[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    include_usage: bool = False

    @property
    def authorization_present(self) -> bool:
        """Whether the client sent a credential in either dialect's header."""
        return "authorization" in self.headers or "x-api-key" in self.headers
