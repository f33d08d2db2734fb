"""`nexus route replay` and `nexus route report`: other rules tried out, and how good an answer was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.replay_table import read_replay_table
from mesh.cli.session import UNARY_TIMEOUT_S, Link, Session
from mesh.cli.wording import counted
from protos.gen.nexus.router.v1 import decision_pb2 as pb
from protos.gen.nexus.router.v1 import decision_pb2_grpc
from shared.errors import InvalidInput
from shared.ids import new_id

_MICRO = 1_000_000
_MILLI = 1_000
_COLUMNS = ("policy", "routed", "no route", "cost $", "quality", "judged", "models")
_CURVE_COLUMNS = ("weight of cost", "cost $", "quality")
_REPLAY_TIMEOUT_S = 1800.0
_MOST_RULES_BYTES = 1024 * 1024
_SHARES = 4
_NEWEST = 1000
_POINTS = 11


def replay(
    rules: Annotated[Path | None, typer.Option("--rules", help="Rules to try; default: those in force.")] = None,
    table: Annotated[
        Path | None, typer.Option("--table", help="Queries with answers of several models, .jsonl or .csv.")
    ] = None,
    recorded: Annotated[
        int | None, typer.Option("--recorded", min=1, max=100_000, help="So many newest decisions; default: 1000.")
    ] = None,
    curve: Annotated[
        int | None, typer.Option("--curve", min=0, max=100, help="Points of the curve, with --table; default: 11.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide recorded or imported requests by other rules, and compare cost and quality. Changes nothing."""

    async def work(session: Session, output: Output) -> None:
        if table is None and curve is not None:
            raise InvalidInput(
                "CURVE_WITHOUT_TABLE", "--curve needs --table: nobody knows how good other choices were."
            )
        if table is not None and recorded is not None:
            raise InvalidInput("REPLAY_WHAT", "Replay recorded decisions or a table: --recorded and --table are two.")
        request = pb.ReplayDecisionsRequest(rules_yaml=_rules_text(rules))
        if table is None:
            request.recorded = _NEWEST if recorded is None else recorded
        else:
            request.imported.CopyFrom(read_replay_table(table))
            request.curve_points = _POINTS if curve is None else curve
        async with session.connect("router") as link:
            result = await _followed(link, request, output)
        if output.as_json:
            output.message(result)
        else:
            _show(result, output)

    invoke(work, data, as_json=as_json)


def report(
    decision_id: Annotated[str, typer.Argument(help="The decision whose answer is judged.", metavar="DECISION_ID")],
    reward: Annotated[
        float, typer.Argument(min=0, max=1, help="From 0 for useless to 1 for perfect.", metavar="REWARD")
    ],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell how good the answer of a decision was. The first report of a decision counts."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ReportOutcomeRequest(
            decision_id=decision_id, reward_ppm=round(reward * _MICRO), request_id=new_id()
        )
        async with session.connect("router") as link:
            stub = decision_pb2_grpc.DecisionServiceStub(link.channel)
            reply = await stub.ReportOutcome(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        elif reply.counted:
            output.line(f"Noted for {reply.model}: {counted(reply.count, 'outcome')} of this kind of task.")
        else:
            output.line("The decision has an outcome already; the first one counts.")

    invoke(work, data, as_json=as_json)


async def _followed(link: Link, request: pb.ReplayDecisionsRequest, output: Output) -> pb.ReplayResult:
    stub = decision_pb2_grpc.DecisionServiceStub(link.channel)
    result = pb.ReplayResult()
    with output.progress("Deciding ...") as tell:
        async for event in stub.ReplayDecisions(request, metadata=link.metadata, timeout=_REPLAY_TIMEOUT_S):
            if event.WhichOneof("event") == "result":
                result = event.result
            else:
                tell(f"{counted(event.decided, 'decision')} made ...")
    return result


def _rules_text(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput("RULES_UNREADABLE", f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput("RULES_UNREADABLE", f"{file} is not UTF-8.") from error
    if not text.strip() or len(text.encode()) > _MOST_RULES_BYTES:
        raise InvalidInput("RULES_UNREADABLE", f"{file} is empty or larger than {_MOST_RULES_BYTES} bytes.")
    return text


def _show(result: pb.ReplayResult, output: Output) -> None:
    output.table(_COLUMNS, [_row(policy) for policy in result.policies], "Nothing to replay.")
    if result.changed:
        output.line(f"{counted(result.changed, 'request')} would go to another model.")
    if result.damaged:
        said = f"Damaged, and left out: {counted(result.damaged, 'record')}."
        output.note(f"{said} `nexus route verify --all` names the first.", "red")
    if result.skipped:
        output.note(f"{counted(result.skipped, 'decision')} could not be read again.", "yellow")
    if not result.curve and any(policy.unpriced and policy.judged for policy in result.policies):
        output.note("There is no curve of cost and quality where the cost of answers is unknown.")
    if result.curve:
        points = [
            (f"{point.cost_weight / _MILLI:g}", _usd(point.cost_micro_usd), _share(point.quality_ppm))
            for point in result.curve
        ]
        output.table(_CURVE_COLUMNS, points, "")
        output.line(f"Area under the curve, as mean quality over its span of cost: {_share(result.area_ppm)}")


def _row(policy: pb.ReplayPolicy) -> tuple[str, ...]:
    shares = [f"{share.model} {share.requests}" for share in policy.shares[:_SHARES]]
    rest = len(policy.shares) - _SHARES
    return (
        policy.name,
        str(policy.routed),
        str(policy.unrouted),
        _cost(policy),
        _share(policy.quality_ppm) if policy.HasField("quality_ppm") else "unknown",
        str(policy.judged),
        ", ".join(shares) + (f" and {rest} more" if rest > 0 else ""),
    )


def _cost(policy: pb.ReplayPolicy) -> str:
    """The total of what is known, and of how many requests the cost is unknown."""
    if not policy.unpriced:
        return _usd(policy.cost_micro_usd)
    if policy.unpriced == policy.routed:
        return "unknown"
    return f"{_usd(policy.cost_micro_usd)} + {policy.unpriced} unknown"


def _usd(micro_usd: int) -> str:
    return f"{micro_usd / _MICRO:.6f}"


def _share(ppm: int) -> str:
    return f"{ppm / _MICRO:.3f}"
