"""The tiers that every installation has, and the rules in force where no file says anything else."""

from __future__ import annotations

from collections.abc import Mapping

from provider_router.domain.rulebook.rules import Tier, Weights

FAST = Tier(
    name="fast",
    weights=Weights(quality=100, reward=400, fit=600, affinity=150, preference=1000, cost=600, latency=1200, risk=800),
    cost_reference_micro_usd=2_000,
    latency_reference_ms=4_000,
    min_quality_ppm=200_000,
    max_links=3,
    first_token_timeout_ms=30_000,
    idle_timeout_ms=20_000,
    total_timeout_ms=120_000,
    hedge=True,
)
BALANCED = Tier(
    name="balanced",
    weights=Weights(quality=100, reward=600, fit=1200, affinity=200, preference=1000, cost=1000, latency=400, risk=800),
    cost_reference_micro_usd=10_000,
    latency_reference_ms=8_000,
    min_quality_ppm=250_000,
)
DEEP = Tier(
    name="deep",
    weights=Weights(
        quality=1000, reward=2000, fit=1000, affinity=200, preference=1000, cost=150, latency=100, risk=800
    ),
    cost_reference_micro_usd=100_000,
    latency_reference_ms=30_000,
    min_quality_ppm=500_000,
    first_token_timeout_ms=120_000,
    idle_timeout_ms=60_000,
    total_timeout_ms=600_000,
)
BUILT_IN: Mapping[str, Tier] = {tier.name: tier for tier in (FAST, BALANCED, DEEP)}
DEFAULT_TIER = BALANCED.name
