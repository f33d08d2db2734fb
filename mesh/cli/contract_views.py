"""Shows contracts: what is promised, and beside it what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from google.protobuf.descriptor import EnumDescriptor

from mesh.cli.money_and_time import per_million
from mesh.cli.output import Output
from mesh.cli.wording import PROMISES, broken_promises, enum_word
from protos.gen.nexus.router.v1 import contract_pb2 as pb

CONTRACT_COLUMNS = ("contract", "can", "may see", "$ per M in", "$ per M out", "calls", "good", "")
_MICRO = 1_000_000
_FLAGS = ("tool_calling", "json_schema", "streaming")
_TRAINING = {pb.TRAINING_NO: "no", pb.TRAINING_YES: "yes"}


def contract_row(registered: pb.RegisteredContract) -> tuple[str, ...]:
    """Return the row of a contract for `CONTRACT_COLUMNS`."""
    contract, measured = registered.contract, registered.measured
    return (
        contract.name,
        ", ".join(_words(pb.Operation.DESCRIPTOR, contract.capabilities.operations)),
        enum_word(pb.DataClass.DESCRIPTOR, contract.privacy.clearance),
        *_rates_today(contract),
        str(measured.calls or ""),
        f"{measured.success_ppm / 10_000:.1f} %" if measured.calls else "",
        _note(registered),
    )


def show_contract(registered: pb.RegisteredContract, output: Output) -> None:
    """Print one contract, with promises and measurements side by side."""
    facts = _facts(registered)
    output.table(("", ""), [(name, value) for name, value in facts.items() if value], "")
    output.line("")
    broken = set(registered.broken_promises)
    rows = [
        (PROMISES[field], promised, measured, "broken" if field in broken else "")
        for field, (promised, measured) in _guarantees(registered).items()
    ]
    output.table(("guarantee", "promised", "measured", ""), rows, "")
    if registered.contract.prices:
        output.line("")
        output.table(_PRICE_COLUMNS, [_price_row(price) for price in registered.contract.prices], "")


_PRICE_COLUMNS = ("price from", "$ per M in", "cached", "written", "out", "$ a call", "above", "in", "out", "source")


def changes(before: Mapping[str, pb.Contract], after: Iterable[pb.Contract]) -> list[str]:
    """Return what happened to contracts, by name: `+` is new, `~` changed, `-` gone."""
    now = {contract.name: contract for contract in after}
    found: list[str] = []
    for name in sorted({*before, *now}):
        if name not in before:
            found.append(f"+ {name}")
        elif name not in now:
            found.append(f"- {name}")
        elif before[name] != now[name]:
            found.append(f"~ {name} (version {now[name].version})")
    return found


def _rates_today(contract: pb.Contract) -> tuple[str, str]:
    """The rates in force today (UTC). Without a price, what is on the operator's machines is free."""
    today = datetime.now(UTC).date().isoformat()
    rates = next((price.rates for price in reversed(contract.prices) if price.effective_date <= today), None)
    if rates is None:
        return ("free", "free") if contract.privacy.on_premises else ("unknown", "unknown")
    return per_million(rates.input_micro_usd), per_million(rates.output_micro_usd)


def _note(registered: pb.RegisteredContract) -> str:
    if registered.suspended_reason:
        return "suspended"
    if registered.broken_promises:
        return broken_promises(registered.broken_promises)
    return "demonstration" if registered.contract.demonstration else "" if registered.from_file else "registered"


def _facts(registered: pb.RegisteredContract) -> dict[str, str]:
    contract = registered.contract
    can, privacy, constraints = contract.capabilities, contract.privacy, contract.constraints
    retention = f"{privacy.retention_days} days" if privacy.HasField("retention_days") else "not stated"
    return {
        "contract": contract.name,
        "version": str(contract.version),
        "from": "a file of the configuration" if registered.from_file else "registered",
        "suspended": registered.suspended_reason,
        "owner": contract.owner,
        "tags": ", ".join(contract.tags),
        "key needed": _yes(contract.needs_auth),
        "does": ", ".join(_words(pb.Operation.DESCRIPTOR, can.operations)),
        "takes, gives": " -> ".join(
            ", ".join(_words(pb.Modality.DESCRIPTOR, each)) for each in (can.input_modalities, can.output_modalities)
        ),
        "also": ", ".join(name.replace("_", " ") for name in _FLAGS if getattr(can, name)),
        "context": f"{can.context_length} tokens" if can.context_length else "",
        "longest answer": f"{can.max_output_tokens} tokens" if can.max_output_tokens else "",
        "dimensions": str(can.dimensions or ""),
        "languages": ", ".join(can.languages) or "any",
        "asks for": _limits(constraints),
        "may see": enum_word(pb.DataClass.DESCRIPTOR, privacy.clearance),
        "regions": ", ".join(privacy.regions) or "not stated",
        "keeps data": retention,
        "trains on data": _TRAINING.get(privacy.training, "not stated"),
        "on premises": _known(privacy.on_premises),
        "encrypted": _known(privacy.encrypted),
        "certifications": ", ".join(privacy.certifications) or "not stated",
        "price": "" if contract.prices else _unpriced(contract),
        "quality": _quality(contract.quality),
        "traits": ", ".join(f"{trait.name}={_trait(trait.value)}" for trait in contract.traits),
    }


def _guarantees(registered: pb.RegisteredContract) -> dict[str, tuple[str, str]]:
    """By the name of the guarantee: what is promised, and what was measured."""
    promised, measured = registered.contract.guarantees, registered.measured
    seen = bool(measured.calls)
    return {
        "first_token_p50_ms": (
            _unit(promised.first_token_p50_ms, "ms"),
            _unit(measured.first_token_p50_ms, "ms"),
        ),
        "first_token_p95_ms": (
            _unit(promised.first_token_p95_ms, "ms"),
            _unit(measured.first_token_p95_ms, "ms"),
        ),
        "tokens_per_second": (
            _unit(promised.tokens_per_second, ""),
            _unit(measured.tokens_per_second, ""),
        ),
        "availability_ppm": (
            f"{promised.availability_ppm / 10_000:g} %" if promised.availability_ppm else "nothing",
            f"{measured.success_ppm / 10_000:.2f} % of {measured.calls}" if seen else "nothing",
        ),
    }


def _price_row(price: pb.Price) -> tuple[str, ...]:
    rates, longer = price.rates, price.long_context_rates
    return (
        price.effective_date,
        per_million(rates.input_micro_usd),
        per_million(rates.cached_input_micro_usd) if rates.HasField("cached_input_micro_usd") else "",
        per_million(rates.cache_write_micro_usd) if rates.HasField("cache_write_micro_usd") else "",
        per_million(rates.output_micro_usd),
        per_million(price.per_request_micro_usd) if price.per_request_micro_usd else "",
        f"{price.long_context_tokens} tokens" if price.long_context_tokens else "",
        per_million(longer.input_micro_usd) if price.long_context_tokens else "",
        per_million(longer.output_micro_usd) if price.long_context_tokens else "",
        price.source,
    )


def _limits(constraints: pb.Constraints) -> str:
    limits = {
        "requests a minute": constraints.requests_per_minute,
        "tokens a minute": constraints.tokens_per_minute,
        "bytes a request": constraints.max_payload_bytes,
        "windows of time": len(constraints.windows),
    }
    return ", ".join(f"{limit} {name}" for name, limit in limits.items() if limit)


def _quality(quality: pb.Quality) -> str:
    tasks = [f"{each.task_class} {each.quality_ppm / _MICRO:g}" for each in quality.by_task]
    source = f" ({quality.source})" if quality.source else ""
    return ", ".join([f"{quality.default_ppm / _MICRO:g}", *tasks]) + source


def _trait(value: pb.TraitValue) -> str:
    kind = value.WhichOneof("value")
    return (
        "" if kind is None else str(getattr(value, kind)).lower() if kind == "bool_value" else str(getattr(value, kind))
    )


def _words(kind: EnumDescriptor, values: Sequence[int]) -> list[str]:
    return [enum_word(kind, value) for value in values]


def _unit(value: int, unit: str) -> str:
    return f"{value} {unit}".strip() if value else "nothing"


def _unpriced(contract: pb.Contract) -> str:
    if contract.privacy.on_premises:
        return "free: it is on your own machines"
    return "unknown: not used where a budget or a cost limit applies"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _known(value: bool) -> str:
    """What a contract claims only where somebody knows it."""
    return "yes" if value else "not stated"
