"""The headers of answers, and what stands for them where they are gone already."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import orjson

from provider_router.domain.calls.answer import Answer
from provider_router.domain.calls.asked_model import AUTO
from provider_router.domain.calls.chat_call import CacheMode, RoutingOptions
from provider_router.domain.calls.events import CacheHit, Completed, Started
from provider_router.domain.errors import Reason
from provider_router.servicer.http.visit import Headers
from provider_router.use_cases.embed_texts import EmbeddedTexts
from shared.errors import (
    AlreadyExists,
    Forbidden,
    InvalidInput,
    NexusError,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    StaleWrite,
    Unauthenticated,
)

_MICRO_USD = 1_000_000
_LONGEST = 512
_PASSED = {mode: "off" if mode is CacheMode.OFF else "miss" for mode in CacheMode}
_UNSAFE = re.compile(r"[^\x20-\x7e]")
# Clients would wait for as long as they are told: to the end of a budget's month.
_LONGEST_WAIT_S = 60.0
# The same request fails in the same way, unless it is said when it does not.
_FINAL = (
    InvalidInput,
    PreconditionFailed,
    Unauthenticated,
    Forbidden,
    NotFound,
    AlreadyExists,
    StaleWrite,
    QuotaExceeded,
)


def started_headers(said: Started | Answer, options: RoutingOptions) -> list[tuple[str, str]]:
    """What is known of an answer when it begins, to who asked for it with `options`."""
    headers = [
        ("x-nexus-decision-id", said.decision_id),
        ("x-nexus-provider", said.model.partition("/")[0]),
        ("x-nexus-model", _safe(said.model)),
        ("x-nexus-attempts", str(len(said.attempts) + 1) if said.cache_hit is None else "0"),
        ("x-nexus-cache", _PASSED[options.cache] if said.cache_hit is None else _hit(said.cache_hit)),
    ]
    if said.dropped or said.limited_to or said.demonstration:
        warnings = _warnings(said, options)
        if warnings:
            headers.append(("x-nexus-warnings", _safe("; ".join(warnings))))
    return headers


def _warnings(said: Started | Answer, options: RoutingOptions) -> list[str]:
    """What became of the request that its caller may not expect. The longest comes last: the end may be cut off."""
    warnings = [f"limited: output_tokens={said.limited_to}"] if said.limited_to else []
    if said.demonstration and options.model in ("", AUTO):
        warnings.append("demonstration")
    if said.dropped:
        warnings.append(f"dropped: {', '.join(said.dropped)}")
    return warnings


def answer_headers(answer: Answer, options: RoutingOptions) -> Headers:
    """What is known of a whole answer."""
    headers = started_headers(answer, options)
    headers.append(("x-nexus-cost-usd", _dollars(answer.cost_micro_usd, unknown=answer.cost_unknown)))
    if answer.continuations:
        headers.append(("x-nexus-continued-by", _safe(", ".join(each.model for each in answer.continuations))))
    return headers


def embedding_headers(embedded: EmbeddedTexts) -> Headers:
    """What is known of vectors."""
    return [
        ("x-nexus-decision-id", embedded.decision_id),
        ("x-nexus-provider", embedded.model.partition("/")[0]),
        ("x-nexus-model", _safe(embedded.model)),
        ("x-nexus-attempts", str(embedded.attempts)),
        ("x-nexus-cost-usd", _dollars(embedded.cost_micro_usd, unknown=embedded.cost_unknown)),
    ]


def ending_comment(completed: Completed, continued_by: Sequence[str]) -> bytes:
    """What the headers of a whole answer say that no stream's can, as a comment of server-sent events."""
    facts: dict[str, object] = {"cost_usd": _dollars(completed.cost_micro_usd, unknown=completed.cost_unknown)}
    if continued_by:
        facts["continued_by"] = continued_by
    return b": nexus " + orjson.dumps(facts) + b"\n\n"


def error_headers(error: NexusError) -> Headers:
    """Why it failed, and whether and when it makes sense to try again, as the official clients read it."""
    headers = [("x-nexus-reason", error.reason)]
    decision_id = error.metadata.get("decision_id")
    if decision_id:
        headers.append(("x-nexus-decision-id", decision_id))
    if error.retry_after_s is not None:
        headers.append(("retry-after", str(max(1, math.ceil(error.retry_after_s)))))
        headers.append(("retry-after-ms", str(max(1, math.ceil(error.retry_after_s * 1000)))))
    is_final = isinstance(error, _FINAL) if error.retry_after_s is None else error.retry_after_s > _LONGEST_WAIT_S
    # The caller's own time is no longer at the next try, which would cost as much again.
    if is_final or error.reason == Reason.DEADLINE_EXCEEDED:
        headers.append(("x-should-retry", "false"))
    return headers


def _hit(hit: CacheHit) -> str:
    kind = "; semantic" if hit.semantic else ""
    return f"hit; age={max(0, round(hit.age_s))}{kind}"


def _dollars(micro_usd: int, *, unknown: bool) -> str:
    """An amount in US dollars, exact; what is known of it where a price is not."""
    whole, rest = divmod(micro_usd, _MICRO_USD)
    return f"{whole}.{rest:06d}{'; incomplete' if unknown else ''}"


def _safe(text: str) -> str:
    """`text` as a header can hold it: it may have been a stranger's."""
    return (text if text.isascii() and text.isprintable() else _UNSAFE.sub("?", text))[:_LONGEST]
