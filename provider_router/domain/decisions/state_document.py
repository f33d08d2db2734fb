"""The canonical form of the system's state, and its digest.

`{"services": {<provider/model>: {...}}, "version": 1}` in canonical JSON, with every field of `ServiceState` under its
own name; `keys_refused` only where it is true, since the states of older records do not have it. A service of which
nothing is known (`FRESH`) does not stand in it, so that two states that mean the same have one digest.
"""

from __future__ import annotations

from collections.abc import Mapping

from provider_router.domain.decisions.canonical_json import NotCanonical, Reader, canonical_bytes, digest_of
from provider_router.domain.decisions.service_state import FRESH, Measured, Reward, ServiceState, SystemState
from shared.circuit_breaker import Breaker

_VERSION = 1


def encode_state(services: Mapping[str, ServiceState]) -> bytes:
    """The canonical form of the state of `services`, by service name."""
    known = {name: _service(state) for name, state in services.items() if state is not FRESH and state != FRESH}
    return canonical_bytes({"services": known, "version": _VERSION})


def decode_state(document: bytes) -> SystemState:
    """The state that `document` holds, with the digest of `document`.

    Raises:
        NotCanonical: It is not in canonical form.
    """
    reader = Reader.parse(document)
    services = reader.object("services")
    state = {name: _read_service(services.object(name)) for name in services.keys()}  # noqa: SIM118 - no mapping
    if encode_state(state) != document:
        raise NotCanonical("the state is not in canonical form")
    return SystemState(state, digest_of(document))


def system_state(services: Mapping[str, ServiceState]) -> SystemState:
    """The state of `services` with its digest. `services` must never change afterwards."""
    return SystemState(services, digest_of(encode_state(services)))


def _service(state: ServiceState) -> dict[str, object]:
    measured = state.measured
    refused = {"keys_refused": True} if state.keys_refused else {}
    return {
        "breaker": state.breaker.value,
        "broken_promises": state.broken_promises,
        "configured": state.configured,
        "cooling": state.cooling,
        "load_ppm": state.load_ppm,
        "measured": {
            "calls": measured.calls,
            "first_token_p50_ms": measured.first_token_p50_ms,
            "first_token_p95_ms": measured.first_token_p95_ms,
            "success_ppm": measured.success_ppm,
            "tokens_per_second": measured.tokens_per_second,
        },
        "rewards": {task: [reward.count, reward.total_ppm] for task, reward in state.rewards.items()},
        **refused,
    }


def _read_service(reader: Reader) -> ServiceState:
    measured, rewards = reader.object("measured"), reader.object("rewards")
    return ServiceState(
        configured=reader.flag("configured"),
        breaker=reader.member("breaker", Breaker),
        cooling=reader.flag("cooling"),
        load_ppm=reader.number("load_ppm"),
        measured=Measured(
            calls=measured.number("calls"),
            success_ppm=measured.number("success_ppm"),
            first_token_p50_ms=measured.number("first_token_p50_ms"),
            first_token_p95_ms=measured.number("first_token_p95_ms"),
            tokens_per_second=measured.number("tokens_per_second"),
        ),
        broken_promises=reader.texts("broken_promises"),
        rewards={task: _read_reward(rewards, task) for task in rewards.keys()},  # noqa: SIM118 - no mapping
        keys_refused="keys_refused" in reader.keys() and reader.flag("keys_refused"),  # noqa: SIM118 - no mapping
    )


def _read_reward(rewards: Reader, task: str) -> Reward:
    return Reward(*rewards.numbers(task, 2))
