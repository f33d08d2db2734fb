"""Shows providers, and their models at their deployments as the router measured them."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console, Group
from rich.text import Text

from mesh.cli.output import cell
from mesh.cli.table_layout import lay_out
from mesh.cli.wording import broken_promises, enum_word
from protos.gen.nexus.router.v1 import contract_pb2, router_pb2

_PROVIDERS = ("provider", "type", "state", "base url", "models", "last error")
_DEPLOYMENTS = ("model", "at", "breaker", "busy", "success", "first token", "tokens/s", "keys", "trouble")
_BACK = "answers again (probe), calls may go there"
_BREAKER_STYLES = {"closed": "green", "half open": "yellow", "open": "red"}
_PPM = 1_000_000


def providers_view(reply: router_pb2.ListProvidersResponse, now: datetime, console: Console) -> Group:
    """Return a table of the providers and one of their deployments, as of `now`, as wide as `console`."""
    providers = lay_out(_PROVIDERS, [_provider(each) for each in reply.providers], console)
    statuses = [_row(status, now) for provider in reply.providers for status in provider.deployments]
    return Group(*providers, Text(), *lay_out(_DEPLOYMENTS, statuses, console)) if statuses else Group(*providers)


def _provider(provider: router_pb2.Provider) -> list[Text]:
    state = enum_word(router_pb2.ProviderState.DESCRIPTOR, provider.state)
    places = [f"{place.deployment} {place.base_url}" for place in provider.places]
    where = "\n".join(places) if len(places) > 1 else provider.base_url
    values = (provider.name, provider.type, state, where, " ".join(provider.models), provider.last_error_reason)
    return [cell(value) for value in values]


def _row(status: router_pb2.DeploymentStatus, now: datetime) -> list[Text]:
    measured = status.measured
    keys = f"{status.usable_keys}/{status.configured_keys}" if status.configured_keys else ""
    trouble = Text(broken_promises(status.broken_promises), style="yellow")
    if status.last_error_reason:
        reason = f"{status.last_error_reason}, {_BACK}" if status.seems_back else status.last_error_reason
        trouble.append(f"; {reason}" if trouble else reason, style="yellow" if status.seems_back else "red")
    return [
        cell(status.model),
        cell(status.deployment),
        _breaker(status, now),
        cell(status.in_flight or ""),
        cell(_success(measured)),
        cell(_first_token(measured)),
        cell(measured.tokens_per_second or ""),
        Text(keys, style="red" if keys and not status.usable_keys else ""),
        trouble,
    ]


def _breaker(status: router_pb2.DeploymentStatus, now: datetime) -> Text:
    """The breaker's state, and for how long no call is given."""
    state = enum_word(router_pb2.BreakerState.DESCRIPTOR, status.breaker)
    text = Text(state, style=_BREAKER_STYLES.get(state, ""))
    seconds = _seconds_until(status.paused_until, now) if status.HasField("paused_until") else 0
    return text.append(f" paused {seconds} s", style="yellow") if seconds else text


def _seconds_until(time: Timestamp, now: datetime) -> int:
    return max(0, round((time.ToDatetime(UTC) - now).total_seconds()))


def _success(measured: contract_pb2.Measured) -> str:
    """The share and the calls that it is of; never 100 % when one failed."""
    if not measured.calls:
        return ""
    hundredths = measured.success_ppm * 10_000 // _PPM
    return f"{hundredths // 100}.{hundredths % 100:02d} % of {measured.calls}"


def _first_token(measured: contract_pb2.Measured) -> str:
    """The median and the 95th percentile."""
    if not measured.first_token_p50_ms:
        return ""
    return f"{measured.first_token_p50_ms} / {measured.first_token_p95_ms} ms"
