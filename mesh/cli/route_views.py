"""Shows decisions: the choice, the candidates with their scores, who was removed and why, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from mesh.cli import route_words as words
from mesh.cli.money_and_time import dollars
from mesh.cli.output import Output
from mesh.cli.wording import counted, enum_word, when
from protos.gen.nexus.router.v1 import contract_pb2, decision_pb2

_LISTED_COLUMNS = ("#", "decision", "made", "chosen", "outcome", "for", "tier", "task", "tokens")
_CANDIDATE_COLUMNS = ("", "candidate", "score", "price", "first piece", "whole answer")
_REMOVED_COLUMNS = ("removed", "step", "why")
_ATTEMPT_COLUMNS = ("attempt", "model", "deployment", "outcome", "tokens", "cost", "first piece")
_EARLIER = "\u2192"
_OTHERS = ("NOT_THE_MODEL_ASKED_FOR", "NOT_THE_PROVIDER_ASKED_FOR")
"""Reasons that are the same for all models but those that were asked for."""


def show_decision(
    decision: decision_pb2.Decision, output: Output, refusal: decision_pb2.RouteRefusal | None = None
) -> None:
    """Show one decision whole; `refusal` is the error that a call would get, where that is known."""
    if refusal is not None and refusal.reason:
        output.prose(f"{refusal.message}  [{refusal.reason}]", "bold red")
    else:
        output.prose(words.choice_sentence(decision), "bold green" if decision.choice else "bold red")
    if decision.candidates:
        output.line("")
        output.table(_CANDIDATE_COLUMNS, [_candidate(*each) for each in enumerate(decision.candidates, start=1)], "")
        output.line("")
        output.table(("score of", "is the sum of"), [(each.model, _terms(each)) for each in decision.candidates], "")
        for sentence in words.standbys(decision.candidates):
            output.line("")
            output.prose(sentence)
    _show_removed(decision.rejections, output)
    output.line("")
    output.table(("", ""), [(name, value) for name, value in _facts(decision).items() if value], "")


def show_attempts(attempts: Sequence[decision_pb2.LedgerAttempt], output: Output) -> None:
    """Show what became of a decision."""
    output.line("")
    output.table(_ATTEMPT_COLUMNS, [_attempt(each) for each in attempts], "Nobody was called.")


def show_listed(decisions: Sequence[decision_pb2.Decision], output: Output) -> None:
    """Show decisions, newest first; those that somebody changed are marked."""
    rows = [_damaged(each) if each.damaged else _listed(each) for each in decisions]
    output.table(_LISTED_COLUMNS, rows, "No decisions yet. A question that a model has to answer makes one.")
    damaged = sum(each.damaged for each in decisions)
    if damaged:
        said = f"Damaged, and not believed: {counted(damaged, 'record')}."
        output.note(f"{said} `nexus route verify --all` names the first.", "red")


def _listed(each: decision_pb2.Decision) -> tuple[object, ...]:
    features = each.features
    chat = features.operation in (contract_pb2.OPERATION_UNSPECIFIED, contract_pb2.OPERATION_CHAT)
    return (
        each.sequence,
        each.decision_id,
        when(each.decision_time),
        each.choice or "none",
        words.outcome(each),
        "" if chat else enum_word(contract_pb2.Operation.DESCRIPTOR, features.operation),
        each.tier,
        features.task_class if features.estimator else "",
        f"{features.input_tokens} + {features.output_tokens}",
    )


def _damaged(each: decision_pb2.Decision) -> tuple[object, ...]:
    return (each.sequence, each.decision_id, when(each.decision_time), "damaged", *[""] * (len(_LISTED_COLUMNS) - 4))


def _candidate(place: int, each: decision_pb2.RankedCandidate) -> tuple[object, ...]:
    return (
        place,
        each.model,
        words.score(each.score),
        words.price(each),
        words.seconds(each.expected_first_token_ms),
        words.seconds(each.expected_total_ms),
    )


def _terms(each: decision_pb2.RankedCandidate) -> str:
    """The terms of a score but those that are 0."""
    return " ".join(f"{term.name}={words.score(term.value)}" for term in each.terms if term.value)


def _show_removed(rejections: Sequence[decision_pb2.Rejection], output: Output) -> None:
    named = [each for each in rejections if each.reason not in _OTHERS]
    if named:
        output.line("")
        output.table(_REMOVED_COLUMNS, [(each.model, each.step, words.why(each)) for each in named], "")
    for reason in _OTHERS:
        others = sum(each.reason == reason for each in rejections)
        if others:
            output.line("")
            output.prose(f"Removed without a look, since {words.reason(reason)}: {counted(others, 'model')}.")


def _facts(decision: decision_pb2.Decision) -> dict[str, str]:
    features, control = decision.features, decision.control
    chosen = decision.candidates[0] if decision.candidates else None
    chain = f" {_EARLIER} ".join(f"{link.model} (tried {link.tries}x)" for link in control.chain)
    return {
        "attempt order": chain,
        "limits": _limits(control) if control.chain else "",
        "expected": _expected(chosen) if chosen else "",
        "promised": words.promise_words(decision.promise) if control.chain else "",
        "tier": decision.tier,
        "task": _task(features),
        "request": _request(features),
        "asked for": _asked(features),
        "decision": decision.decision_id,
        "made": when(decision.decision_time) if decision.decision_id else "",
        "record": f"{decision.sequence}, {decision.record_hash}" if decision.record_hash else "",
        "follows on": decision.previous_hash,
        "contracts": decision.registry_digest,
        "rules": decision.rules_digest,
        "state": decision.state_digest,
    }


def _limits(control: decision_pb2.RouteControl) -> str:
    parts = [
        f"{control.max_attempts} attempts",
        f"{words.seconds(control.total_timeout_ms)} in all",
        f"{words.seconds(control.chain[0].first_token_timeout_ms)} to the first piece",
        f"{words.seconds(control.idle_timeout_ms)} between pieces",
    ]
    if control.hedge_after_ms:
        parts.append(f"a second model is started after {words.seconds(control.hedge_after_ms)} of silence")
    return ", ".join(parts)


def _expected(chosen: decision_pb2.RankedCandidate) -> str:
    first, total = words.seconds(chosen.expected_first_token_ms), words.seconds(chosen.expected_total_ms)
    cost = "at an unknown price" if chosen.price_unknown else words.price(chosen)
    return f"{cost}, first piece after {first}, whole answer after {total}"


def _task(features: decision_pb2.RequestFeatures) -> str:
    if not features.estimator:
        return "not estimated: it would change nothing"
    sure = f"{words.percent(features.task_confidence_ppm)} sure"
    complexity = f"complexity {features.complexity_ppm / 1_000_000:.2f} of 1"
    return f"{features.task_class} ({sure}), {complexity}, estimated by {features.estimator}"


def _request(features: decision_pb2.RequestFeatures) -> str:
    parts = [
        f"{features.input_tokens} tokens, about {features.output_tokens} expected of the answer",
        f"{words.data_class(features.data_class)} data",
        f"within {', '.join(features.residency)}" if features.residency else "",
        "with tools" if features.needs_tools else "",
        "with a JSON Schema" if features.needs_json_schema else "",
        f"at most {dollars(features.max_cost_micro_usd)}" if features.HasField("max_cost_micro_usd") else "",
        f"{dollars(features.budget_left_micro_usd)} of the budget left"
        if features.HasField("budget_left_micro_usd")
        else "",
        f"within {words.seconds(features.deadline_ms)}" if features.HasField("deadline_ms") else "",
    ]
    return ", ".join(part for part in parts if part)


def _asked(features: decision_pb2.RequestFeatures) -> str:
    if features.model:
        return features.model
    return "the configured chain" if features.chain else "any model"


def _attempt(attempt: decision_pb2.LedgerAttempt) -> tuple[object, ...]:
    usage = attempt.usage
    outcome = f"{attempt.outcome}{f': {attempt.reason}' if attempt.reason else ''}{' (hedge)' if attempt.hedge else ''}"
    return (
        attempt.attempt_id,
        attempt.model,
        attempt.deployment,
        outcome,
        f"{usage.input_tokens} + {usage.output_tokens}{' estimated' if attempt.estimated else ''}",
        "unknown" if attempt.cost_unknown else dollars(attempt.cost_micro_usd),
        words.seconds(attempt.first_token_ms) if attempt.HasField("first_token_ms") else "",
    )
