"""A request as the scripted provider understood it, whatever its dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

JsonObject: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of one tool call that the client sent back."""

    call_id: str
    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image, a file or a sound that came with the messages.

    Attributes:
        kind: What it is.
        media_type: As the client says; empty where it does not.
        byte_count: Length of its bytes; 0 where only an address or an id came.
        digest: First 8 hexadecimal digits of the SHA-256 of the bytes; empty without bytes.
        address: Where it is, or the provider's id of it; empty where its bytes came.
        name: Of a file; empty for none.
    """

    kind: Literal["image", "file", "audio"]
    media_type: str = ""
    byte_count: int = 0
    digest: str = ""
    address: str = ""
    name: str = ""

    def __str__(self) -> str:
        """Says what came, such as `image/png of 70 bytes (d5a2e0f1)`."""
        if self.address:
            return f"{self.kind} at {self.address}"
        named = f" called {self.name}" if self.name else ""
        return f"{self.media_type or self.kind}{named} of {self.byte_count} bytes ({self.digest})"


@dataclass(frozen=True, slots=True)
class Wishes:
    """How the answer is wanted.

    Attributes:
        tool_use: Whether tools may or must be called.
        tool_name: The tool that must be called; empty for any.
        parallel: Whether several may be called at once.
        schema: JSON Schema of the answer; None for free text.
        stop: Texts that end the answer.
        choices: How many answers.
        logprobs: How many likely tokens to tell for each; None for none at all.
        seed: Echoed in the answer; None for none.
        thinking: Whether the model shall think first.
    """

    tool_use: Literal["auto", "none", "required"] = "auto"
    tool_name: str = ""
    parallel: bool = True
    schema: JsonObject | None = None
    stop: tuple[str, ...] = ()
    choices: int = 1
    logprobs: int | None = None
    seed: int | None = None
    thinking: bool = False


_NO_WISHES = Wishes()


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
        attachments: What came besides text, in order, of all messages.
        wishes: How the answer is wanted.
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
    attachments: tuple[Attachment, ...] = ()
    wishes: Wishes = _NO_WISHES

    @property
    def authorization_present(self) -> bool:
        """Whether the client sent a credential in either dialect's header."""
        return "authorization" in self.headers or "x-api-key" in self.headers
