"""How a run is routed, as one compact JSON object that holds what differs from the defaults."""

from __future__ import annotations

from typing import Any

import orjson

from orchestrator.domain.routing import CacheMode, DataClass, Routing


def encode_routing(routing: Routing) -> str:
    """Return the routing as JSON."""
    fields: dict[str, Any] = {
        "tier": routing.tier,
        "data_class": routing.data_class,
        "residency": routing.residency,
        "max_cost_micro_usd": routing.max_cost_micro_usd,
        "cache_mode": routing.cache_mode,
    }
    # 0 is a limit; everything else that is empty is a default.
    return orjson.dumps({name: value for name, value in fields.items() if value or value == 0}).decode()


def decode_routing(text: str) -> Routing:
    """Return the routing that `encode_routing` wrote."""
    fields: dict[str, Any] = orjson.loads(text)
    data_class, cache_mode = fields.get("data_class"), fields.get("cache_mode")
    return Routing(
        tier=fields.get("tier", ""),
        data_class=DataClass(data_class) if data_class else None,
        residency=tuple(fields.get("residency", ())),
        max_cost_micro_usd=fields.get("max_cost_micro_usd"),
        cache_mode=CacheMode(cache_mode) if cache_mode else None,
    )
