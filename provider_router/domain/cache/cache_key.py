"""What an answer may be found by: everything that could have made it another answer.

The key is a hash over one JSON document with a fixed place for every part, so parts can never run into each other: no
request begins where another one ends. `docs/cache.md` says what is in it and why.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict

from provider_router.domain.cache.cached_answer import CacheKey
from provider_router.domain.cache.text_guard import TextGuard, guard_of
from provider_router.domain.calls.chat import ChatRequest, Message, Role
from provider_router.domain.calls.chat_call import CacheMode, ChatCall
from provider_router.domain.contracts.contract import PPM, DataClass
from provider_router.domain.rulebook.rules import RuleSet

MOST_SHARED = DataClass.INTERNAL
"""The most sensitive class of data whose answers are kept: they are shared within the organisation."""
MOST_SEMANTIC_TEMPERATURE = 0.5
"""Who asks for more wants variety; such a request finds the answer to the very same request only."""

_FORM = "nexus.cache/2"
_ESTIMATES = frozenset({"task_class", "complexity"})


def may_be_cached(call: ChatCall, rules: RuleSet) -> bool:
    """Whether the cache may know of this call at all."""
    data_class = rules.default_data_class if call.options.data_class is None else call.options.data_class
    return (
        call.options.cache is not CacheMode.OFF
        and data_class <= MOST_SHARED
        and call.caller.org_id != ""
        and _is_understood(call.request)
    )


def _is_understood(request: ChatRequest) -> bool:
    """Whether the router knows all that was asked, and keeps all of an answer that a caller would get."""
    shows_thoughts = request.reasoning is not None and request.reasoning.shown
    return not shows_thoughts and not request.needs_own_words


def cache_key(call: ChatCall, rules: RuleSet, chain: Sequence[str], embedding_model: str) -> CacheKey:
    """The key of a call that may be cached.

    Args:
        call: The call.
        rules: In force for its organisation.
        chain: The operator's chain of models in force.
        embedding_model: Whose vectors are compared; empty for none.
    """
    asked = _routing(call, rules, chain)
    request = call.request
    exact = _digest([_FORM, "exact", *asked, [_message(each) for each in request.messages]])
    guard = _guard(call, rules) if embedding_model else None
    if guard is None:
        return CacheKey(call.caller.org_id, exact)
    before = [_message(each) for each in request.messages[:-1]]
    return CacheKey(
        org_id=call.caller.org_id,
        exact=exact,
        family=_digest([_FORM, "family", *asked, before, guard.marks, embedding_model]),
        bag=_digest(sorted(guard.words)),
        sequence=_digest(guard.words),
    )


def _guard(call: ChatCall, rules: RuleSet) -> TextGuard | None:
    """The guard of the last message; None where only the very same request may find the answer."""
    last = call.request.messages[-1]
    # What stands in an image cannot be compared by its words.
    if last.parts:
        return None
    hot = (call.request.temperature or 0) > MOST_SEMANTIC_TEMPERATURE
    # Rules that look at the task could have sent another wording to another model.
    if call.options.cache is not CacheMode.SEMANTIC or last.role is not Role.USER or hot or _estimates_matter(rules):
        return None
    return guard_of(last.text)


def _estimates_matter(rules: RuleSet) -> bool:
    whens = [requirement.when for requirement in rules.requirements]
    return not rules.policy_reads.isdisjoint(_ESTIMATES) or any(
        when.task_classes or when.min_complexity_ppm > 0 or when.max_complexity_ppm < PPM for when in whens
    )


def _routing(call: ChatCall, rules: RuleSet, chain: Sequence[str]) -> list[object]:
    """What was asked besides the messages, and by whom as far as rules may tell callers apart."""
    options, caller = call.options, call.caller
    data_class = rules.default_data_class if options.data_class is None else options.data_class
    return [
        caller.org_id,
        rules.digest,
        caller.user_id if "user" in rules.policy_reads else "",
        sorted(caller.roles),
        options.model,
        [] if options.model else list(chain),
        options.tier,
        int(data_class),
        sorted(options.residency),
        [[each.trait, each.comparison.value, list(each.values)] for each in options.traits],
        options.max_cost_micro_usd,
        *_parameters(call),
    ]


def _parameters(call: ChatCall) -> list[object]:
    request = call.request
    # Schemas keep the order of their keys: models write fields in that order.
    return [
        [[tool.name, tool.description, tool.parameters, tool.strict] for tool in request.tools],
        request.response_schema,
        request.temperature,
        request.max_output_tokens,
        list(request.stop),
        [request.schema_name, request.schema_strict, request.json_object],
        [request.tool_choice.use.value, request.tool_choice.name] if request.tool_choice else None,
        request.parallel_tool_calls,
        asdict(request.sampling),
        asdict(request.reasoning) if request.reasoning else None,
        call.options.drop_unsupported,
    ]


def _message(message: Message) -> list[object]:
    calls = [[call.id, call.name, call.arguments_json] for call in message.tool_calls]
    parts = [[type(part).__name__, asdict(part)] for part in message.parts]
    return [message.role.value, message.text, calls, message.tool_call_id, parts, message.name, message.is_error]


def _digest(document: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(document, separators=(",", ":")).encode("ascii")).hexdigest()
