"""Hands out the workspaces of conversations."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tool_executor.domain.tool_call import CallContext
from tool_executor.ports.workspace import Workspace


class Workspaces(Protocol):
    """The workspaces of all conversations; each belongs to one user's part of a conversation."""

    def used(self, call: CallContext) -> AbstractAsyncContextManager[Workspace]:
        """Give the workspace of the call's conversation, made when it has none; calls have it one after the other.

        Entering raises:
            ToolFailure: WORKSPACE_NEEDS_CONVERSATION.
            QuotaExceeded: SANDBOX_BUSY, when there are too many and none of this user's rests.
            PreconditionFailed: ISOLATION_UNAVAILABLE, with the remedy.
            UpstreamDown: when the sandbox does not answer.
        """
        ...
