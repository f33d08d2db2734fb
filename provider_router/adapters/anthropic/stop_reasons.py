"""Why a model stopped, in the words of the Messages dialect."""

from __future__ import annotations

from collections.abc import Mapping

from provider_router.domain.calls.chat import FinishReason

STOP_REASONS: Mapping[str, FinishReason] = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "pause_turn": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT_FILTER,
}
"""Any other word is one that came up later, and means that the model stopped."""
