"""Providers and deployments as messages."""

from __future__ import annotations

from collections.abc import Mapping

from protos.gen.nexus.router.v1 import contract_pb2, router_pb2
from provider_router.domain.decisions.service_state import Measured
from provider_router.domain.traffic.deployment_status import DeploymentStatus
from provider_router.domain.traffic.provider_health import ProviderReport, ProviderState
from shared.circuit_breaker import Breaker

_STATES: Mapping[ProviderState, router_pb2.ProviderState.ValueType] = {
    ProviderState.UNKNOWN: router_pb2.PROVIDER_STATE_UNKNOWN,
    ProviderState.AVAILABLE: router_pb2.PROVIDER_STATE_AVAILABLE,
    ProviderState.FAILING: router_pb2.PROVIDER_STATE_FAILING,
    ProviderState.NOT_CONFIGURED: router_pb2.PROVIDER_STATE_NOT_CONFIGURED,
}
_BREAKERS: Mapping[Breaker, router_pb2.BreakerState.ValueType] = {
    Breaker.CLOSED: router_pb2.BREAKER_STATE_CLOSED,
    Breaker.HALF_OPEN: router_pb2.BREAKER_STATE_HALF_OPEN,
    Breaker.OPEN: router_pb2.BREAKER_STATE_OPEN,
}


def provider(report: ProviderReport) -> router_pb2.Provider:
    """A provider and how it is."""
    message = router_pb2.Provider(
        name=report.provider.name,
        type=report.provider.type.value,
        base_url=report.provider.deployments[0].chat_url,
        state=_STATES[report.state],
        models=report.models,
        deployments=map(deployment, report.deployments),
        places=[
            router_pb2.ProviderPlace(deployment=each.name, base_url=each.chat_url)
            for each in report.provider.deployments
        ],
    )
    last = report.last
    if last is not None:
        message.last_error_reason = last.last_error_reason
        if last.called_time is not None:
            message.last_call_time.FromDatetime(last.called_time)
    return message


def deployment(status: DeploymentStatus) -> router_pb2.DeploymentStatus:
    """A model at a deployment, and how it is."""
    message = router_pb2.DeploymentStatus(
        model=status.service,
        deployment=status.deployment,
        breaker=_BREAKERS[status.breaker],
        in_flight=status.in_flight,
        measured=measured(status.measured),
        broken_promises=status.broken_promises,
        usable_keys=status.usable_keys,
        configured_keys=status.configured_keys,
        last_error_reason=status.last_error_reason,
        seems_back=status.seems_back,
    )
    if status.paused_until is not None:
        message.paused_until.FromDatetime(status.paused_until)
    return message


def measured(seen: Measured) -> contract_pb2.Measured:
    """What was measured."""
    return contract_pb2.Measured(
        calls=seen.calls,
        success_ppm=seen.success_ppm,
        first_token_p50_ms=seen.first_token_p50_ms,
        first_token_p95_ms=seen.first_token_p95_ms,
        tokens_per_second=seen.tokens_per_second,
    )
