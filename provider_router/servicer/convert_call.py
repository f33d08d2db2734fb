"""A chat with its caller and its routing options, from the contract's messages."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration

from protos.gen.nexus.router.v1 import router_pb2 as pb
from provider_router.domain.calls.chat_call import CacheMode, ChatCall, OnBreak, RoutingOptions
from provider_router.domain.decisions.route_request import Caller, TraitConstraint
from provider_router.servicer.convert import chat_request
from provider_router.servicer.convert_enums import data_class_of, trait_constraint_of
from shared.errors import FieldViolation, InvalidInput

_TRAITS_CAP_BYTES = 8 * 1024
"""Constraints stand in the record of each decision, which must not become larger than a page or two."""
_CACHE_MODES: Mapping[pb.CacheMode.ValueType, CacheMode] = {
    pb.CACHE_MODE_UNSPECIFIED: CacheMode.OFF,
    pb.CACHE_MODE_EXACT: CacheMode.EXACT,
    pb.CACHE_MODE_SEMANTIC: CacheMode.SEMANTIC,
}


def chat_call(
    message: pb.ChatCompletionRequest, caller: Caller, *, streamed: bool, time_left_s: float | None
) -> ChatCall:
    """The call that `message` asks for.

    Args:
        message: The chat with its options.
        caller: Who asks.
        streamed: Whether the answer is wanted piece by piece.
        time_left_s: Until the deadline of the RPC; None without one.

    Raises:
        InvalidInput: INVALID_SCHEMA; REQUEST_INVALID for too many constraints on traits.
    """
    return ChatCall(caller, chat_request(message), _options(message, time_left_s), streamed)


def _options(message: pb.ChatCompletionRequest, time_left_s: float | None) -> RoutingOptions:
    if not message.HasField("routing"):
        return RoutingOptions(model=message.model, timeout_ms=_shortest_ms(None, time_left_s))
    routing = message.routing
    return RoutingOptions(
        model=message.model,
        tier=routing.tier,
        data_class=data_class_of(routing.data_class),
        residency=frozenset(region.lower() for region in routing.residency),
        traits=_traits(routing),
        max_cost_micro_usd=routing.max_cost_micro_usd if routing.HasField("max_cost_micro_usd") else None,
        timeout_ms=_shortest_ms(routing.timeout if routing.HasField("timeout") else None, time_left_s),
        conversation_id=routing.conversation_id,
        hedge=not routing.disable_hedging,
        on_break=OnBreak.CONTINUE if routing.continue_on_break else OnBreak.FAIL,
        cache=_CACHE_MODES[routing.cache_mode],
        # 0 would mean no limit.
        cache_max_age_s=max(1, routing.cache_max_age.seconds) if routing.HasField("cache_max_age") else 0,
        cache_min_similarity_ppm=routing.cache_min_similarity_ppm,
    )


def _traits(routing: pb.RoutingOptions) -> tuple[TraitConstraint, ...]:
    if sum(each.ByteSize() for each in routing.traits) > _TRAITS_CAP_BYTES:
        wrong = FieldViolation("routing.traits", f"must be at most {_TRAITS_CAP_BYTES} bytes in all")
        raise InvalidInput("REQUEST_INVALID", f"{wrong.field} {wrong.description}.", violations=[wrong])
    return tuple(trait_constraint_of(each) for each in routing.traits)


def _shortest_ms(timeout: Duration | None, time_left_s: float | None) -> int | None:
    """The shorter of two times, at least 1 ms; None without both."""
    times = [] if timeout is None else [timeout.ToMilliseconds()]
    if time_left_s is not None:
        times.append(int(time_left_s * 1000))
    return max(1, min(times)) if times else None
