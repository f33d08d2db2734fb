"""Scopes: what agents and channels are narrowed to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tool_executor.domain.tool_call import CallOrigin


@dataclass(frozen=True, slots=True)
class ToolScope:
    """Narrows the tools of an agent, of a channel, or of an agent on a channel. It never widens.

    Args:
        agent: the agent; empty for every one, and for none.
        channel: the channel; empty for every one, and for none.
        allowed: names and patterns (`github_*`, a star is any number of characters) of the tools that it may use.
    """

    agent: str
    channel: str
    allowed: tuple[str, ...]

    def applies_to(self, origin: CallOrigin) -> bool:
        """Return whether calls of `origin` are narrowed by this scope."""
        return self.agent in ("", origin.agent) and self.channel in ("", origin.channel)

    def names(self, tool: str) -> bool:
        """Return whether `tool` may be used within this scope."""
        return any(_matches(each, tool) for each in self.allowed)

    @property
    def label(self) -> str:
        """The scope's name in reasons and in the audit, for example `scope:agent=clerk,channel=telegram`."""
        parts = [f"{kind}={name}" for kind, name in (("agent", self.agent), ("channel", self.channel)) if name]
        return f"scope:{','.join(parts) or 'organisation'}"


def narrowing(scopes: Iterable[ToolScope], origin: CallOrigin, tool: str) -> tuple[ToolScope, ...]:
    """Return the scopes that keep `tool` from calls of `origin`; none when every scope that applies names it."""
    return tuple(each for each in scopes if each.applies_to(origin) and not each.names(tool))


def _matches(pattern: str, name: str) -> bool:
    """Return whether `name` is what `pattern` stands for; takes no longer than both are, whoever wrote the pattern."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    *middle, last = rest
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    place, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
