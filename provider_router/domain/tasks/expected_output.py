"""How long an answer is expected to be, before anybody was asked.

It weighs cost and time of services against each other; nothing is reserved or charged by it. The lengths by task class
are round figures for what such answers usually are. A task of middling complexity gets them as they are, the simplest
one half of it, the hardest half as much again. Translations are about as long as their text.
"""

from __future__ import annotations

from collections.abc import Mapping

from provider_router.domain.contracts.contract import PPM
from provider_router.domain.decisions.route_request import Estimate

_DEFAULT_TOKENS = 300
_TOKENS: Mapping[str, int] = {
    "classification": 20,
    "extraction": 150,
    "agentic": 200,
    "general": 300,
    "knowledge": 300,
    "summarization": 300,
    "math": 500,
    "code": 700,
    "reasoning": 700,
    "writing": 800,
}


def expected_output_tokens(estimate: Estimate, input_tokens: int, max_output_tokens: int) -> int:
    """Tokens of the answer, at least 1.

    Args:
        estimate: Of the task; without one (no `method`) the answer is of the usual length.
        input_tokens: Of the prompt.
        max_output_tokens: The caller's limit; 0 for none.
    """
    usual = input_tokens if estimate.task_class == "translation" else _TOKENS.get(estimate.task_class, _DEFAULT_TOKENS)
    complexity_ppm = estimate.complexity_ppm if estimate.method else PPM // 2
    expected = max(1, usual * (PPM // 2 + complexity_ppm) // PPM)
    return min(expected, max_output_tokens) if max_output_tokens else expected
