"""How hard a model is to think, in words: some dialects count tokens instead."""

from __future__ import annotations

from provider_router.domain.calls.chat import Reasoning

# Words for budgets of thought, up to so many tokens.
_EFFORTS = ((2048, "low"), (12_288, "medium"))


def effort_of(reasoning: Reasoning) -> str:
    """The word for `reasoning`: its own, or the one for its budget; empty to leave it to the model.

    A budget of 0 has none: models that cannot think refuse every word, and those that must think refuse `none`.
    """
    budget = reasoning.budget_tokens
    if reasoning.effort or not budget:
        return reasoning.effort
    return next((word for most, word in _EFFORTS if budget <= most), "high")
