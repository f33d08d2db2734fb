"""Computes a recorded decision again from what was stored with it, and compares every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

from provider_router.domain.contracts.contract_document import decode_registry
from provider_router.domain.decisions.canonical_json import NotCanonical, digest_of
from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.decision_document import decode_decision, microseconds_of
from provider_router.domain.decisions.decision_record import DecisionRecord, hash_of
from provider_router.domain.decisions.recorded_decision import decision_unknown
from provider_router.domain.decisions.state_document import decode_state
from provider_router.domain.decisions.stored_world import WorldPart, parts_of
from provider_router.domain.decisions.verification import DECIDED, Check, Verification, difference
from provider_router.domain.decisions.world import World
from provider_router.domain.rulebook.rules_document import decode_rules
from provider_router.ports.decision_engine import DecisionEngine
from provider_router.ports.decision_log import DecisionLog
from shared.errors import NexusError

Part = TypeVar("Part")
_DOCUMENTS = {Check.SNAPSHOT: "contracts", Check.STORED_RULES: "rules", Check.STATE: "state"}


class _Differs(Exception):
    """A check failed; the message says what differs."""


@dataclass(slots=True)
class _Checks:
    """The checks that were begun so far."""

    made: list[Check] = field(default_factory=list[Check])

    def hold(self, check: Check, problem: str) -> None:
        """Notes a check; raises _Differs when there is a problem."""
        if problem:
            self.fail(check, problem)
        self.made.append(check)

    def fail(self, check: Check, problem: str) -> NoReturn:
        """Notes a check that failed."""
        self.made.append(check)
        raise _Differs(problem)


class VerifyDecision:
    """Verifies one record: where it stands, what it says, and that it follows from the world of its time.

    The chain is checked to both sides, so that a record that was changed together with its own hash is found by the
    record after it.

    Args:
        log: Where the record is.
        new_engine: Makes an engine that remembers nothing: what was remembered wrongly is not to prove itself.
    """

    def __init__(self, log: DecisionLog, new_engine: Callable[[], DecisionEngine]) -> None:
        self._log = log
        self._new_engine = new_engine

    async def __call__(self, org_id: str, decision_id: str) -> Verification:
        """What came of it.

        Raises:
            NotFound: DECISION_UNKNOWN.
            UpstreamDown: The log cannot be read.
        """
        record = await self._log.get(org_id, decision_id)
        if record is None:
            raise decision_unknown(decision_id)
        checks = _Checks()
        try:
            checks.hold(Check.CHAIN, await self._chain_problem(record))
            decision = _decoded(checks, record)
            world = await self._world(checks, decision)
            computed = self._computed(checks, world, decision)
            for check in DECIDED[1:]:
                checks.hold(check, difference(check, decision, computed))
        except _Differs as problem:
            return Verification(tuple(checks.made), str(problem))
        return Verification(tuple(checks.made))

    async def _chain_problem(self, record: DecisionRecord) -> str:
        anchor = await self._log.anchor(record.org_id)
        if record.sequence == anchor.sequence + 1:
            if record.previous_hash != anchor.record_hash:
                return "it does not follow on the place where the stored chain begins"
        else:
            before = await self._log.before(record)
            if before is None:
                return f"the record before it, {record.sequence - 1}, is missing"
            if hash_of(before) != record.previous_hash:
                return f"it does not follow on the record before it, {record.sequence - 1}"
        after = await self._log.after(record)
        if after is not None and after.previous_hash != record.record_hash:
            return f"the record after it, {record.sequence + 1}, does not follow on it"
        return ""

    async def _world(self, checks: _Checks, decision: Decision) -> World:
        documents = await self._log.world_of(decision)
        parts = {name.part: (name.digest, documents.get(name.part)) for name in parts_of(decision)}
        return World(
            _read(checks, Check.SNAPSHOT, *parts[WorldPart.REGISTRY], decode_registry),
            _read(checks, Check.STORED_RULES, *parts[WorldPart.RULES], decode_rules),
            _read(checks, Check.STATE, *parts[WorldPart.STATE], decode_state),
        )

    def _computed(self, checks: _Checks, world: World, decision: Decision) -> Decision:
        try:
            computed = self._new_engine().decide(world, decision.request, decision.time)
        except NexusError as error:
            checks.fail(Check.FIELD_STATE, f"the request cannot be decided: {error.message}")
        checks.hold(Check.FIELD_STATE, difference(Check.FIELD_STATE, decision, computed))
        return computed


def _decoded(checks: _Checks, record: DecisionRecord) -> Decision:
    if hash_of(record) != record.record_hash:
        checks.fail(Check.RECORD, "the record's hash is not that of its content")
    try:
        decision = decode_decision(record.payload)
    except NotCanonical as error:
        checks.fail(Check.RECORD, f"the record cannot be read: {error}")
    own = (decision.request.caller.org_id, microseconds_of(decision.time))
    same = own == (record.org_id, record.time_us)
    checks.hold(Check.RECORD, "" if same else "organisation or time differ between the record and what it holds")
    return decision


def _read(checks: _Checks, check: Check, digest: str, document: bytes | None, decode: Callable[[bytes], Part]) -> Part:
    if document is None or digest_of(document) != digest:
        checks.fail(check, f"the stored {_DOCUMENTS[check]} is missing or damaged")
    try:
        part = decode(document)
    except NotCanonical as error:
        checks.fail(check, f"the stored {_DOCUMENTS[check]} cannot be read: {error}")
    checks.hold(check, "")
    return part
