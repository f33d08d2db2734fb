"""Shows decisions: the choice, the candidates with their scores, who was removed and why, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from mesh.cli import route_words as words
from mesh.cli.money_and_time import dollars
from mesh.cli.output import Output
from mesh.cli.wording import when
from protos.gen.nexus.router.v1 import decision_pb2

_LISTED_COLUMNS = ("#", "decision", "made", "model", "tier", "task", "tokens")
_REMOVED_COLUMNS = ("removed", "step", "why", "detail")
_ATTEMPT_COLUMNS = ("attempt", "model", "deployment", "outcome", "tokens", "cost", "first piece")
_EARLIER = "\u2192"


def show_decision(decision: decision_pb2.Decision, output: Output) -> None:
    """Show one decision whole."""
    output.line(words.choice_sentence(decision), "bold green" if decision.choice else "bold red")
    if decision.candidates:
        output.line("")
        output.table(*_candidates(decision.candidates), "")
    if decision.rejections:
        output.line("")
        output.table(_REMOVED_COLUMNS, [_removed(each) for each in decision.rejections], "")
    output.line("")
    output.table(("", ""), [(name, value) for name, value in _facts(decision).items() if value], "")


def show_attempts(attempts: Sequence[decision_pb2.LedgerAttempt], output: Output) -> None:
    """Show what became of a decision."""
    output.line("")
    output.table(_ATTEMPT_COLUMNS, [_attempt(each) for each in attempts], "Nobody was called.")


def show_listed(decisions: Sequence[decision_pb2.Decision], output: Output) -> None:
    """Show decisions, one a line."""
    rows = [
        (
            each.sequence,
            each.decision_id,
            when(each.decision_time),
            each.choice or "none",
            each.tier,
            each.features.task_class if each.features.estimator else "",
            f"{each.features.input_tokens} + {each.features.output_tokens}",
        )
        for each in decisions
    ]
    output.table(_LISTED_COLUMNS, rows, "No decisions yet. `nexus ask` makes some.", whole=("decision",))


def show_verification(found: decision_pb2.VerifyDecisionResponse, output: Output) -> None:
    """Show each check of a verification."""
    for place, step in enumerate(found.checked_steps, start=1):
        failed = not found.valid and place == len(found.checked_steps)
        mark, style = ("\u2717", "red") if failed else ("\u2713", "green")
        output.line(f"{mark} {step}", style)
    if found.valid:
        output.line("valid: it follows from what was stored, and nothing was changed.", "bold green")
    else:
        output.line(f"invalid at {found.differing_step}: {found.detail}.", "bold red")


def _candidates(
    candidates: Sequence[decision_pb2.RankedCandidate],
) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Columns and rows; terms that are 0 for every candidate are left out."""
    names = [term.name for term in candidates[0].terms]
    used = [place for place, _ in enumerate(names) if any(each.terms[place].value for each in candidates)]
    columns = ("", "candidate", "score", *(names[place] for place in used), "price", "first piece", "whole answer")
    rows: list[tuple[object, ...]] = [
        (
            place,
            each.model,
            words.score(each.score),
            *(words.score(each.terms[term].value) for term in used),
            dollars(each.expected_cost_micro_usd),
            words.seconds(each.expected_first_token_ms),
            words.seconds(each.expected_total_ms),
        )
        for place, each in enumerate(candidates, start=1)
    ]
    return columns, rows


def _removed(rejection: decision_pb2.Rejection) -> tuple[str, ...]:
    why = words.reason(rejection.reason)
    return (rejection.model, rejection.step, why, rejection.detail if rejection.detail != why else "")


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
    return f"{dollars(chosen.expected_cost_micro_usd)}, first piece after {first}, whole answer after {total}"


def _task(features: decision_pb2.RequestFeatures) -> str:
    if not features.estimator:
        return "not estimated: it would change nothing"
    sure = f"{words.percent(features.task_confidence_ppm)} sure"
    complexity = f"complexity {words.percent(features.complexity_ppm)}"
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
        dollars(attempt.cost_micro_usd),
        words.seconds(attempt.first_token_ms) if attempt.HasField("first_token_ms") else "",
    )
