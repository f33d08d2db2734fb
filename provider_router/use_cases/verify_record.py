"""Checks what one record says: that it is undamaged, and that it follows from the world of its time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar, cast

from provider_router.domain.contracts.contract_document import decode_registry
from provider_router.domain.decisions.canonical_json import NotCanonical, digest_of
from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.decision_document import decode_decision, microseconds_of
from provider_router.domain.decisions.decision_record import DecisionRecord, hash_of
from provider_router.domain.decisions.state_document import decode_state
from provider_router.domain.decisions.stored_world import Documents, PartName, WorldPart, parts_of
from provider_router.domain.decisions.verification import DECIDED, Check, Verification, difference
from provider_router.domain.decisions.world import World
from provider_router.domain.rulebook.rules_document import decode_rules
from provider_router.ports.decision_engine import DecisionEngine
from provider_router.ports.decision_log import DecisionLog
from shared.errors import NexusError

Part = TypeVar("Part")
_DOCUMENTS = {Check.SNAPSHOT: "contracts", Check.STORED_RULES: "rules", Check.STATE: "state"}
_PARTS_KEPT = 64


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


class VerifyRecord:
    """Verifies records one by one.

    Documents that were read and found undamaged are kept for the next records: neighbours share most of them.

    Args:
        log: Where the documents are.
        engine: A new one: what the engine of live calls remembered wrongly is not to prove itself.
    """

    def __init__(self, log: DecisionLog, engine: DecisionEngine) -> None:
        self._log = log
        self._engine = engine
        self._parts: OrderedDict[PartName, object] = OrderedDict()

    async def __call__(self, record: DecisionRecord, chain_problem: str) -> Verification:
        """What came of it.

        Args:
            record: What to verify.
            chain_problem: Why it does not stand where it should, as the caller found out; empty when it does.

        Raises:
            UpstreamDown: The log cannot be read.
        """
        checks = _Checks()
        try:
            checks.hold(Check.CHAIN, chain_problem)
            decision = _decoded(checks, record)
            world = await self._world(checks, decision)
            computed = self._computed(checks, world, decision)
            for check in DECIDED[1:]:
                checks.hold(check, difference(check, decision, computed))
        except _Differs as problem:
            return Verification(tuple(checks.made), str(problem))
        return Verification(tuple(checks.made))

    async def _world(self, checks: _Checks, decision: Decision) -> World:
        names = {name.part: name for name in parts_of(decision)}
        known = all(name in self._parts for name in names.values())
        documents: Documents = {} if known else await self._log.world_of(decision)
        return World(
            self._part(checks, Check.SNAPSHOT, names[WorldPart.REGISTRY], documents, decode_registry),
            self._part(checks, Check.STORED_RULES, names[WorldPart.RULES], documents, decode_rules),
            self._part(checks, Check.STATE, names[WorldPart.STATE], documents, decode_state),
        )

    def _part(
        self, checks: _Checks, check: Check, name: PartName, documents: Documents, decode: Callable[[bytes], Part]
    ) -> Part:
        if name in self._parts:
            part = cast("Part", self._parts[name])
        else:
            part = _read(checks, check, name.digest, documents.get(name.part), decode)
            self._parts[name] = part
        self._parts.move_to_end(name)
        if len(self._parts) > _PARTS_KEPT:
            self._parts.popitem(last=False)
        checks.hold(check, "")
        return part

    def _computed(self, checks: _Checks, world: World, decision: Decision) -> Decision:
        try:
            computed = self._engine.decide(world, decision.request, decision.time, decision.formula)
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
        checks.fail(check, f"the stored document of the {_DOCUMENTS[check]} is missing or damaged")
    try:
        return decode(document)
    except NotCanonical as error:
        checks.fail(check, f"the stored document of the {_DOCUMENTS[check]} cannot be read: {error}")
