"""How much a model is to think, in the words of the Messages dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.domain.calls.chat import Reasoning

ADAPTIVE_TRAIT = "adaptive_thinking"
"""A service whose contract has this trait, false, does not decide for itself how much to think, and takes no word for
it: it is given a number of tokens instead. Such are Anthropic's models before Claude 4.6."""

_LEAST_BUDGET = 1024
_BUDGETS: Mapping[str, int] = {"": 8192, "minimal": 1024, "low": 2048, "medium": 8192, "high": 16384}
_MOST_BUDGET = 32768
# Words that are not of this dialect.
_EFFORTS = {"minimal": "low"}
_OFF = "none"


def thinking_fields(reasoning: Reasoning, max_tokens: int, *, adaptive: bool) -> tuple[dict[str, Any], str]:
    """Returns `thinking` and the word for the effort; either may be empty.

    Args:
        reasoning: As it was asked for.
        max_tokens: Of the answer, thoughts included.
        adaptive: Whether the model takes a word for the effort.
    """
    if reasoning.budget_tokens == 0 or reasoning.effort == _OFF:
        return {"type": "disabled"}, ""
    if reasoning.budget_tokens is not None:
        return budget_within(reasoning.budget_tokens, max_tokens), _word(reasoning) if adaptive else ""
    if adaptive:
        # Newer models keep their thoughts to themselves unless they are told otherwise.
        shown = {"display": "summarized"} if reasoning.shown else {}
        return {"type": "adaptive", **shown}, _word(reasoning)
    return budget_within(_BUDGETS.get(reasoning.effort, _MOST_BUDGET), max_tokens), ""


def budget_within(budget_tokens: int, max_tokens: int) -> dict[str, Any]:
    """Thoughts of at most `budget_tokens`, and of less than `max_tokens`, as the dialect demands.

    None at all where that leaves fewer than it takes.
    """
    fitting = min(budget_tokens, max_tokens - 1)
    return {"type": "enabled", "budget_tokens": fitting} if fitting >= _LEAST_BUDGET else {"type": "disabled"}


def _word(reasoning: Reasoning) -> str:
    return _EFFORTS.get(reasoning.effort, reasoning.effort)
