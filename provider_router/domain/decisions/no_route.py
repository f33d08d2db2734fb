"""What a caller is told when no service can be chosen.

That is the precise reason where there is one, else what removed how many services at which step, and what to do.
Services of other organisations do not exist for a caller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.contracts.contract import Contract, Operation
from provider_router.domain.contracts.dialect import DIALECT_TRAIT
from provider_router.domain.contracts.service import RegistrySnapshot, Service
from provider_router.domain.decisions.decision import Decision, Rejected, Rejection, Step
from provider_router.domain.decisions.lacking import LET_DROP, Asked, lack_of
from provider_router.domain.decisions.world import World
from provider_router.domain.errors import Reason, failure
from provider_router.domain.money.budget import BudgetStatus
from provider_router.domain.money.output_bound import reserved_output_tokens
from provider_router.domain.money.pricing import upper_bound_micro_usd
from provider_router.domain.money.spending import refusal
from shared.errors import FieldViolation, NexusError

_LISTED = 20
_NAMED = 5
_PRECISE: Mapping[Rejected, tuple[Reason, str]] = {
    Rejected.OPERATION: (Reason.UNSUPPORTED_CAPABILITY, "does not support chat"),
    Rejected.MODALITY_IN: (Reason.UNSUPPORTED_CAPABILITY, "does not take what the request holds"),
    Rejected.MODALITY_OUT: (Reason.UNSUPPORTED_CAPABILITY, "does not answer in the form that is asked for"),
    Rejected.TOOL_CALLING: (Reason.UNSUPPORTED_CAPABILITY, "does not support calling tools"),
    Rejected.JSON_SCHEMA: (Reason.UNSUPPORTED_CAPABILITY, "does not support answers that follow a JSON Schema"),
    Rejected.LANGUAGE: (Reason.UNSUPPORTED_CAPABILITY, "does not support the request's language"),
    Rejected.PARAMETER: (Reason.UNSUPPORTED_CAPABILITY, "does not take a parameter that the request sets"),
    Rejected.CONTEXT_LENGTH: (Reason.CONTEXT_TOO_LONG, "has less context than the prompt and its answer need"),
    Rejected.NOT_CONFIGURED: (Reason.PROVIDER_NOT_CONFIGURED, "cannot be called: its key is not there"),
    Rejected.KEY_REFUSED: (Reason.PROVIDER_REFUSED_KEY, "cannot be called: its provider refused its key"),
    Rejected.BUDGET_LEFT: (Reason.BUDGET_EXHAUSTED, "costs more than the budget has left"),
    Rejected.PRICE_UNKNOWN: (Reason.PRICE_UNKNOWN, "cannot be held within a limit of money"),
}
_ADVICE: Mapping[Rejected, str] = {
    Rejected.PAYLOAD_SIZE: "send less",
    Rejected.TIME_WINDOW: "come back within the hours that the contracts allow",
    Rejected.DEADLINE: "allow more time",
    Rejected.COST_LIMIT: "raise the cost limit",
    Rejected.FORBIDDEN_BY_RULE: "ask who keeps the routing rules",
    Rejected.NOT_PERMITTED_BY_RULE: "ask who keeps the routing rules",
    Rejected.REQUIRED_BY_RULE: "ask who keeps the routing rules",
    Rejected.NOT_IN_CHAIN: "name a model, a tier or `auto`",
    Rejected.CLEARANCE: "state a lower data class if that is true, or add a service that is cleared for it",
    Rejected.RESIDENCY: "allow more regions, or add a service in those",
    Rejected.TRAIT: "ask for fewer traits",
    Rejected.NOT_CONFIGURED: "set the keys of the providers",
    Rejected.KEY_REFUSED: "correct the keys that providers refused",
    Rejected.CONTEXT_LENGTH: "send a shorter prompt",
    Rejected.TOOL_CALLING: "offer no tools",
    Rejected.JSON_SCHEMA: "ask for free text",
    Rejected.PARAMETER: "leave out the parameters that the models do not take",
}


def visible_services(registry: RegistrySnapshot, org_id: str) -> Mapping[str, Service]:
    """The services that exist for `org_id`: everybody's and its own."""
    return {name: each for name, each in registry.services.items() if each.contract.org_id in ("", org_id)}


def no_route(
    decision: Decision,
    world: World,
    budgets: Sequence[BudgetStatus],
    decision_id: str,
    asked: ChatRequest | None = None,
) -> NexusError:
    """The error for a decision without a choice, for the caller to raise.

    Args:
        decision: The decision.
        world: That it was made in.
        budgets: All budgets of the caller.
        decision_id: Of its record; empty where none is kept.
        asked: What was decided over, where that is a chat.
    """
    services = visible_services(world.registry, decision.request.caller.org_id)
    unknown = _unknown(decision, services, _suspended(world.registry))
    if unknown is not None:
        return unknown
    if world.rules.closed_by:
        return _closed(world.rules.closed_by, decision_id)
    rejections = _considered(decision, services)
    too_dear = [services[each.service].contract for each in rejections if each.reason is Rejected.BUDGET_LEFT]
    needed = min((_reservation(contract, decision) for contract in too_dear), default=0)
    facts = {"decision_id": decision_id}
    refused = refusal(budgets, needed, decision.time, facts, also=_unpriced_too(rejections))
    if refused is not None:
        return refused
    body = asked.body if asked else None
    if body and body.foreign and rejections and all(each.detail.startswith(DIALECT_TRAIT) for each in rejections):
        return _foreign(rejections, body.foreign, decision_id)
    return _of_models(rejections, services, Asked(decision.request, body), _suspended(world.registry), facts)


def _of_models(
    rejections: Sequence[Rejection],
    services: Mapping[str, Service],
    asked: Asked,
    suspended: str,
    facts: Mapping[str, str],
) -> NexusError:
    """The error for what the models themselves are: one reason where it is that of all, else a count of reasons."""
    reasons = {_PRECISE[each.reason][0] if each.reason in _PRECISE else Reason.NO_ROUTE for each in rejections}
    if reasons == {Reason.PRICE_UNKNOWN}:
        return _unpriced(rejections, facts["decision_id"])
    if len(reasons) == 1 and Reason.NO_ROUTE not in reasons:
        return _precise(rejections[0], services[rejections[0].service], asked, facts)
    return _counted(rejections, suspended, facts["decision_id"], droppable=asked.body is not None)


def _foreign(rejections: Sequence[Rejection], fields: Sequence[str], decision_id: str) -> NexusError:
    """The error for fields that no model that was asked for knows."""
    names = [each.service for each in rejections]
    message = (
        f"{_named(names)}: no place for {', '.join(fields[:_LISTED])}, which only providers of this dialect know. "
        f"Leave them out, name a model of such a provider, or {LET_DROP}."
    )
    violations = [FieldViolation(field, "is known to providers of this dialect alone") for field in fields[:_LISTED]]
    return failure(Reason.UNSUPPORTED_CAPABILITY, message, metadata={"decision_id": decision_id}, violations=violations)


def _unknown(decision: Decision, services: Mapping[str, Service], suspended: str) -> NexusError | None:
    """The error for a name that nothing has, or for nothing to choose among; None when there is something."""
    request = decision.request
    chats = [name for name, service in services.items() if service.does(Operation.CHAT)]
    known = ", ".join(chats[:_LISTED]) or "none"
    if request.model and request.model not in services:
        message = f"There is no model '{request.model}'. Configured: {known}.{suspended}"
        return failure(Reason.MODEL_UNKNOWN, message, metadata={"model": request.model})
    if request.provider and not any(services[name].provider.name == request.provider for name in chats):
        message = (
            f"There is no provider '{request.provider}' with a model that chats. Configured models: {known}.{suspended}"
        )
        return failure(Reason.PROVIDER_UNKNOWN, message, metadata={"provider": request.provider})
    if not request.model and not chats:
        message = f"No model that chats is configured. Add one to the providers file.{suspended}"
        return failure(Reason.NO_MODEL_CONFIGURED, message)
    return None


def _closed(problem: str, decision_id: str) -> NexusError:
    """The error for rules that are not known, so that everything is forbidden."""
    return failure(
        Reason.NO_ROUTE,
        f"The routing rules are not known, so no model may be called: {problem}. Correct it; the files are read again "
        "within a second.",
        metadata={"decision_id": decision_id, "rules": problem},
    )


def _considered(decision: Decision, services: Mapping[str, Service]) -> Sequence[Rejection]:
    """The rejections of the services that were asked for, in the order in which they were."""
    request = decision.request
    found = {each.service: each for each in decision.rejections if each.service in services}
    if request.model:
        return [found[request.model]] if request.model in found else []
    if request.chain:
        return [found[name] for name in request.chain if name in found]
    return [
        each
        for name, each in found.items()
        if each.reason is not Rejected.OPERATION and request.provider in ("", services[name].provider.name)
    ]


def _precise(rejection: Rejection, service: Service, asked: Asked, facts: Mapping[str, str]) -> NexusError:
    reason, words = _PRECISE[rejection.reason]
    provider = service.provider
    of_key = rejection.reason in (Rejected.NOT_CONFIGURED, Rejected.KEY_REFUSED)
    lack = lack_of(rejection, service, asked)
    said = f"check {provider.key_source}" if of_key else lack.detail
    detail = f" ({said})" if said else ""
    metadata = {"model": rejection.service, "provider": provider.name, **facts}
    violations = [FieldViolation(field, f"is nothing for '{service.name}'") for field in lack.fields]
    message = f"The model '{rejection.service}' {words}{detail}.{lack.advice}"
    return failure(reason, message, metadata=metadata, violations=violations)


def _unpriced(rejections: Sequence[Rejection], decision_id: str) -> NexusError:
    """The error for models of which nobody says what they cost, where a limit of money applies."""
    names = [each.service for each in rejections]
    message = f"{_price_unknown(names)}, and a budget or a cost limit applies. What would help: {_price_advice(names)}."
    return failure(Reason.PRICE_UNKNOWN, message, metadata={"model": names[0], "decision_id": decision_id})


def _unpriced_too(rejections: Sequence[Rejection]) -> str:
    """The sentence, for a budget that has too little left, about models that it does not let be called at all."""
    names = [each.service for each in rejections if each.reason is Rejected.PRICE_UNKNOWN]
    return f" {_price_unknown(names)}, so no budget allows a call: {_price_advice(names)}." if names else ""


def _price_unknown(names: Sequence[str]) -> str:
    which = f"The price of '{names[0]}' is" if len(names) == 1 else f"The prices of {', '.join(names[:_LISTED])} are"
    return f"{which} not known"


def _price_advice(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_LISTED])
    return f"write `prices` (0 for free) into the contract of {shown}, as docs/pricing.md shows"


def _reservation(contract: Contract, decision: Decision) -> int:
    """What would have to be reserved for one attempt, in millionths of a US dollar."""
    request = decision.request
    tokens_out = reserved_output_tokens(contract.capabilities, request.input_tokens, request.max_output_tokens)
    return upper_bound_micro_usd(contract.price_on(decision.time.date()), request.input_tokens, tokens_out)


def _cause(rejection: Rejection) -> str:
    """At which step a model fell and why; of the rules also by which: `at rules (FORBIDDEN_BY_RULE: stay-at-home)`."""
    detail = f": {rejection.detail}" if rejection.step is Step.RULES and rejection.detail else ""
    return f"at {rejection.step} ({rejection.reason}{detail})"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _suspended(registry: RegistrySnapshot) -> str:
    """The registered contracts that are not in use, as the end of a message; empty for none."""
    told = [f"{name} ({each.reason.rstrip('.')})" for name, each in list(registry.suspended.items())[:_NAMED]]
    return f" Suspended contracts: {'; '.join(told)}." if told else ""


def _counted(rejections: Sequence[Rejection], suspended: str, decision_id: str, *, droppable: bool) -> NexusError:
    counts = Counter((each.step, each.reason) for each in rejections)
    causes: dict[str, list[str]] = {}
    for each in rejections:
        causes.setdefault(_cause(each), []).append(each.service)
    removed = "; ".join(f"{_named(names)} {cause}" for cause, names in causes.items())
    advice = dict.fromkeys(_ADVICE[reason] for _, reason in counts if reason in _ADVICE)
    if droppable and any(reason is Rejected.PARAMETER for _, reason in counts):
        advice[LET_DROP] = None
    unpriced = [each.service for each in rejections if each.reason is Rejected.PRICE_UNKNOWN]
    if unpriced:
        advice[_price_advice(unpriced)] = None
    todo = f" What would help: {'; '.join(advice)}." if advice else ""
    more = f" `nexus route show {decision_id}` says why for each model." if decision_id else ""
    return failure(
        Reason.NO_ROUTE,
        f"No model can take this request. Removed: {removed or 'all'}.{suspended}{todo}{more}",
        metadata={"decision_id": decision_id, **{reason.value: str(number) for (_, reason), number in counts.items()}},
    )
