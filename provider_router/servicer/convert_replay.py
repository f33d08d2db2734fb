"""Replays as messages, and back."""

from __future__ import annotations

from protos.gen.nexus.router.v1 import decision_pb2 as pb
from provider_router.domain.decisions.replay import ImportedQuery, ImportedResult, PolicySummary, ReplayResult
from provider_router.use_cases.replay_decisions import ReplaySource


def source(message: pb.ReplayDecisionsRequest) -> ReplaySource:
    """What is to be replayed; with neither source set, the newest recorded decision."""
    if message.WhichOneof("source") == "imported":
        queries = tuple(
            ImportedQuery(each.text, tuple(map(_result, each.results))) for each in message.imported.queries
        )
        return ReplaySource(imported=queries, curve_points=message.curve_points)
    return ReplaySource(recorded=message.recorded or 1)


def event(happened: int | ReplayResult) -> pb.ReplayDecisionsResponse:
    """Progress, or the result."""
    if isinstance(happened, ReplayResult):
        return pb.ReplayDecisionsResponse(result=_replay_result(happened))
    return pb.ReplayDecisionsResponse(decided=happened)


def _result(message: pb.ImportedResult) -> ImportedResult:
    return ImportedResult(
        model=message.model,
        quality_ppm=message.quality_ppm,
        input_tokens=message.input_tokens,
        output_tokens=message.output_tokens,
        cost_micro_usd=message.cost_micro_usd if message.HasField("cost_micro_usd") else None,
    )


def _replay_result(result: ReplayResult) -> pb.ReplayResult:
    return pb.ReplayResult(
        policies=map(_policy, result.policies),
        curve=[
            pb.CurvePoint(
                cost_weight=point.cost_weight, cost_micro_usd=point.cost_micro_usd, quality_ppm=point.quality_ppm
            )
            for point in result.curve
        ],
        area_ppm=result.area_ppm,
        changed=result.changed,
        skipped=result.skipped,
        damaged=result.damaged,
    )


def _policy(summary: PolicySummary) -> pb.ReplayPolicy:
    return pb.ReplayPolicy(
        name=summary.name,
        routed=summary.routed,
        unrouted=summary.unrouted,
        cost_micro_usd=summary.cost_micro_usd,
        unpriced=summary.unpriced,
        quality_ppm=summary.quality_ppm,
        judged=summary.judged,
        shares=[pb.ModelShare(model=model, requests=requests) for model, requests in summary.shares],
    )
