"""Shows verifications: of one decision step by step, and of all records that are kept."""

from __future__ import annotations

from mesh.cli.output import Output
from mesh.cli.wording import counted
from protos.gen.nexus.router.v1 import decision_pb2 as pb

_ANCHOR = (
    "Who can write to the database can remove the newest records unseen: write the head down elsewhere, and check it "
    "later with --expect-head."
)


def show_verification(found: pb.VerifyDecisionResponse, output: Output) -> None:
    """Show each check of a verification."""
    for place, step in enumerate(found.checked_steps, start=1):
        failed = not found.valid and place == len(found.checked_steps)
        mark, style = ("\u2717", "red") if failed else ("\u2713", "green")
        output.line(f"{mark} {_spoken(step)}", style)
    if found.valid:
        output.prose("valid: it follows from what was stored, and nothing was changed.", "bold green")
    else:
        output.prose(f"invalid at {_spoken(found.differing_step)}: {found.detail}.", "bold red")


def show_chain(found: pb.ChainVerification, output: Output) -> None:
    """Show what the verification of all records found."""
    if found.HasField("broken"):
        output.prose(_broken(found.broken), "bold red")
    elif not found.valid:
        output.prose(_unexpected(found), "bold red")
    else:
        output.prose(_whole(found), "bold green")
    rows = [
        ("verified", counted(found.verified, "record")),
        ("pruned", _pruned(found.pruned) if found.HasField("pruned") else "none"),
        ("expected", "found" if found.expected_found else ""),
        ("last good" if found.HasField("broken") else "head", _place(found.head) if found.HasField("head") else "none"),
    ]
    output.table(("", ""), [row for row in rows if row[1]], "")
    if found.valid:
        output.note(_ANCHOR)


def _whole(found: pb.ChainVerification) -> str:
    if not found.verified:
        return "valid: no record is kept."
    return "valid: each record follows on the one before it and from what was stored, and nothing was changed."


def _broken(broken: pb.BrokenRecord) -> str:
    name = f"record {broken.sequence}, decision {broken.decision_id}"
    return f"invalid: {name}, at {_spoken(broken.differing_step)}: {broken.detail}."


def _unexpected(found: pb.ChainVerification) -> str:
    """Every record holds, and the one that was noted is not among them."""
    pruned = (
        f", unless it is one of those up to {found.pruned.sequence} that were pruned" if found.pruned.sequence else ""
    )
    return (
        "invalid: no record has the expected hash. The records that are there hold, but the end of the chain was "
        f"removed or replaced since that hash was noted{pruned}."
    )


def _pruned(place: pb.ChainPlace) -> str:
    return f"records up to {_place(place)}, by age or number; the first that is kept follows on it"


def _place(place: pb.ChainPlace) -> str:
    return f"{place.sequence} {place.record_hash}"


def _spoken(step: str) -> str:
    return step.replace("_", " ")
