"""The words of decisions: steps, reasons and promises in plain sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mesh.cli.money_and_time import dollars
from mesh.cli.wording import enum_word
from protos.gen.nexus.router.v1 import contract_pb2, decision_pb2

_UNIT = 1_000_000_000
"""Scores are in millionths times thousandths."""
_LARGE = 1_000 * _UNIT
_WEAK, _OUT = -50 * _UNIT, -500_000 * _UNIT
"""Beyond these, the terms quality and risk hold a step that no sum of weighted values reaches (docs/scoring.md)."""
_REASONS: Mapping[str, str] = {
    "OPERATION": "does not do this",
    "MODALITY_IN": "does not take what the request holds",
    "MODALITY_OUT": "does not answer in that form",
    "TOOL_CALLING": "calls no tools",
    "JSON_SCHEMA": "follows no JSON Schema",
    "LANGUAGE": "does not know the language",
    "PARAMETER": "does not take a parameter of the request",
    "CONTEXT_LENGTH": "too little context",
    "PAYLOAD_SIZE": "request is too large",
    "TIME_WINDOW": "not at this hour",
    "DEADLINE": "too slow for the deadline",
    "COST_LIMIT": "costs more than the limit",
    "BUDGET_LEFT": "costs more than the budget has left",
    "PRICE_UNKNOWN": "its price is unknown, and money is limited",
    "NOT_THE_MODEL_ASKED_FOR": "another model was asked for",
    "NOT_THE_PROVIDER_ASKED_FOR": "another provider was asked for",
    "FORBIDDEN_BY_RULE": "forbidden by a rule",
    "NOT_PERMITTED_BY_RULE": "permitted by no rule",
    "REQUIRED_BY_RULE": "a rule requires others",
    "NOT_IN_CHAIN": "not in the configured chain",
    "NOT_CONFIGURED": "its provider's key is not there",
    "KEY_REFUSED": "its provider refused its key",
    "CLEARANCE": "not cleared for this data",
    "RESIDENCY": "not known to stay within the regions asked for",
    "TRAIT": "lacks a trait that was asked for",
}
_TERMS: Mapping[str, str] = {
    "quality": "its quality",
    "reward": "its expected reward",
    "fit": "how well it fits the task",
    "affinity": "having answered this conversation before",
    "preference": "a preference of the rules",
    "order": "its place in the chain",
    "cost": "its price",
    "latency": "its speed",
    "risk": "its reliability",
}


def score(value: int) -> str:
    """A score or one of its terms: `0.412`; without decimals where one is so large that they say nothing."""
    return f"{value / _UNIT:.3f}" if abs(value) < _LARGE else f"{value / _UNIT:.0f}"


def standbys(candidates: Iterable[decision_pb2.RankedCandidate]) -> Sequence[str]:
    """Why candidates stand behind others whatever else their scores say, in a sentence each."""
    terms = [(each.model, {term.name: term.value for term in each.terms}) for each in candidates]
    out = [model for model, values in terms if values.get("risk", 0) < _OUT]
    weak = [model for model, values in terms if values.get("quality", 0) < _WEAK]
    said = {
        "cannot be called at the moment (breaker, pause or load), so behind all that can": out,
        "weaker than the tier wants, so behind those that are not": weak,
    }
    return [f"{', '.join(models)}: {why}." for why, models in said.items() if models]


def seconds(milliseconds: int) -> str:
    """A time: `850 ms`, `4.2 s`."""
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def percent(ppm: int) -> str:
    """A share: `99.9 %`."""
    return f"{ppm / 10_000:.4g} %"


def reason(code: str) -> str:
    """Why a model was removed."""
    return _REASONS.get(code, code.replace("_", " ").lower())


def price(candidate: decision_pb2.RankedCandidate) -> str:
    """What a candidate is expected to cost, as far as that is known."""
    return "unknown" if candidate.price_unknown else dollars(candidate.expected_cost_micro_usd)


def why(rejection: decision_pb2.Rejection) -> str:
    """Why a model was removed, with what would have had to hold or which rules decided."""
    said = reason(rejection.reason)
    known = rejection.detail in ("", said) or rejection.reason == "NOT_CONFIGURED"
    return said if known else f"{said} ({rejection.detail})"


def outcome(decision: decision_pb2.Decision) -> str:
    """What became of a decision: how its call ended, and by which model when that is not the one that was chosen."""
    if not decision.outcome:
        return "not called" if decision.choice else ""
    by = f" by {decision.outcome_model}" if decision.outcome_model != decision.choice else ""
    return f"{decision.outcome}{by}"


def data_class(value: contract_pb2.DataClass.ValueType) -> str:
    """How sensitive data is, in one word."""
    return enum_word(contract_pb2.DataClass.DESCRIPTOR, value)


def choice_sentence(decision: decision_pb2.Decision) -> str:
    """Why this model was chosen, in one sentence; or that none can be."""
    choice, candidates = decision.choice, decision.candidates
    if not choice:
        return _no_choice(decision.rejections)
    if decision.features.model == choice:
        return f"{choice} was asked for by name, and nothing speaks against it."
    if not candidates:
        return f"{choice} was chosen."
    if len(candidates) == 1:
        return f"{choice} is the only model that can take this request."
    others = f"{len(candidates)} models that can take this request"
    if decision.features.chain:
        return f"{choice} comes first in the configured chain, of {others}."
    first, second = candidates[0], candidates[1]
    why = _advantages(first, second)
    lead = f"{score(first.score)} against {score(second.score)} of {second.model}"
    return f"{choice} scores best of {others} ({lead}){f', for {why}' if why else ''}."


def _no_choice(rejections: Sequence[decision_pb2.Rejection]) -> str:
    if not rejections:
        return "No model is configured; `nexus providers list` says why."
    return f"No model can take this request: {_removals(rejections)}."


def _advantages(first: decision_pb2.RankedCandidate, second: decision_pb2.RankedCandidate) -> str:
    """What the first is better for than the second: the two terms that differ most."""
    theirs = {term.name: term.value for term in second.terms}
    gains = sorted(((term.value - theirs.get(term.name, 0), term.name) for term in first.terms), reverse=True)
    return " and ".join(_TERMS.get(name, name) for gain, name in gains[:2] if gain > 0)


def _removals(rejections: Sequence[decision_pb2.Rejection]) -> str:
    counts: dict[str, int] = {}
    for rejection in rejections:
        counts[rejection.reason] = counts.get(rejection.reason, 0) + 1
    most = sorted(counts.items(), key=lambda each: -each[1])
    return ", ".join(f"{number} \u00d7 {reason(code)}" for code, number in most)


def promise_words(promise: decision_pb2.RoutePromise) -> str:
    """What is promised, in words."""
    parts = [
        f"some model answers with {percent(promise.availability_ppm)}" if promise.HasField("availability_ppm") else "",
        f"begins within {seconds(promise.first_token_p95_ms)} (95 %)" if promise.HasField("first_token_p95_ms") else "",
        f"costs at most {dollars(promise.max_cost_micro_usd)}" if promise.HasField("max_cost_micro_usd") else "",
        f"cleared for {data_class(promise.clearance)} data",
        f"processed in {', '.join(promise.regions)}" if promise.regions else "",
        _retention(promise),
        "" if promise.may_train else "no training on it",
        "on your own machines" if promise.on_premises else "",
        "the same request gives the same answer" if promise.deterministic else "",
    ]
    return "; ".join(part for part in parts if part)


def _retention(promise: decision_pb2.RoutePromise) -> str:
    if not promise.HasField("retention_days"):
        return ""
    return f"kept at most {promise.retention_days} days" if promise.retention_days else "not kept"
