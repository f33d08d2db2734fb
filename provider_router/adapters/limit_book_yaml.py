"""The limits of `limits.yaml`, by caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from provider_router.adapters.yaml_file.file_set import FileSet
from provider_router.adapters.yaml_file.limits_reader import NAME, read_limits
from provider_router.adapters.yaml_file.watched_files import WatchedFiles
from provider_router.domain.configuration.problem import ConfigurationProblem
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.errors import Reason, failure
from provider_router.domain.money.budget import BudgetLimit, Scope
from provider_router.domain.money.limits import EVERY, Limits, applicable
from provider_router.domain.money.rate import Bucket, Charge, Unit
from provider_router.domain.money.spending import payers
from shared.clock import Clock

_CALLERS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class _CallersLimits:
    """What applies to one caller, made once; `conversation` to each conversation of its."""

    budgets: tuple[BudgetLimit, ...]
    conversation: tuple[BudgetLimit, ...]
    requests: tuple[Charge, ...]
    tokens: tuple[Bucket, ...]


_NO_LIMITS = _CallersLimits((), (), (), ())


class YamlLimitBook:
    """Implements `LimitBook`.

    While no file was ever good, nobody knows what may be spent, so every question is refused. A file that is not there
    is a good one without limits.

    Args:
        folder: Where `limits.yaml` is, or is not.
        poll_s: Seconds between two looks.
        clock: For the time since when the file has a problem.
    """

    def __init__(self, folder: Path, poll_s: float, clock: Clock | None = None) -> None:
        files = FileSet(folder, (NAME,))
        self._files = WatchedFiles[Limits | None](files, read_limits, None, poll_s=poll_s, clock=clock)
        self._in_force = self._files.current()
        self._callers: dict[tuple[str, str, str], _CallersLimits] = {}
        self._last: tuple[Caller | None, _CallersLimits | None] = (None, None)

    async def load(self) -> None:
        """Looks at the file once. Never raises for a wrong one."""
        await self._files.load()

    async def watch(self) -> None:
        """Looks at the file again and again, until cancelled."""
        await self._files.watch()

    def problem(self) -> str:
        """See `LimitBook.problem`."""
        return self._files.current().error

    def problems(self) -> Sequence[ConfigurationProblem]:
        """What is wrong in the file now."""
        return self._files.current().problems

    def budgets_for(self, caller: Caller, conversation_id: str) -> Sequence[BudgetLimit]:
        """See `LimitBook.budgets_for`.

        Raises:
            PreconditionFailed: LIMITS_INVALID while no file was good.
        """
        limits = self._of(caller)
        if not conversation_id or not limits.conversation:
            return limits.budgets
        return (*limits.budgets, *(replace(budget, subject=conversation_id) for budget in limits.conversation))

    def request_charges(self, caller: Caller) -> Sequence[Charge]:
        """See `LimitBook.request_charges`.

        Raises:
            PreconditionFailed: LIMITS_INVALID while no file was good.
        """
        return self._of(caller).requests

    def token_charges(self, caller: Caller, tokens: int) -> Sequence[Charge]:
        """See `LimitBook.token_charges`.

        Raises:
            PreconditionFailed: LIMITS_INVALID while no file was good.
        """
        buckets = self._of(caller).tokens
        return [Charge(bucket, tokens) for bucket in buckets] if tokens else ()

    def _of(self, caller: Caller) -> _CallersLimits:
        in_force = self._files.current()
        if in_force is not self._in_force:
            self._in_force = in_force
            self._callers.clear()
            self._last = (None, None)
        elif caller is self._last[0] and self._last[1] is not None:
            # A call asks for its caller's limits several times.
            return self._last[1]
        key = (caller.org_id, caller.user_id, caller.key_id)
        known = self._callers.get(key)
        if known is not None:
            self._last = (caller, known)
            return known
        if in_force.value is None:
            raise failure(
                Reason.LIMITS_INVALID,
                f"What may be spent is not known: {in_force.error or 'the limits were not read yet'}. Correct it; "
                "the file is read again within a second.",
            )
        if len(self._callers) >= _CALLERS_KEPT:
            self._callers.clear()
        found = _limits_of(in_force.value, caller)
        self._callers[key] = found
        return found


def _limits_of(limits: Limits, caller: Caller) -> _CallersLimits:
    if not limits.budgets and not limits.rates:
        return _NO_LIMITS
    own = dict(payers(caller, EVERY))
    budgets = [
        replace(budget, subject=own[budget.scope], org_id=caller.org_id)
        for budget in applicable(limits.budgets, caller.org_id, own)
    ]
    buckets = [
        Bucket(rate.scope, _bucket_subject(rate.scope, caller.org_id, own[rate.scope]), rate.unit, rate.per_minute)
        for rate in applicable(limits.rates, caller.org_id, own)
    ]
    return _CallersLimits(
        tuple(budget for budget in budgets if budget.scope is not Scope.CONVERSATION),
        tuple(budget for budget in budgets if budget.scope is Scope.CONVERSATION),
        tuple(Charge(bucket, 1) for bucket in buckets if bucket.unit is Unit.REQUESTS),
        tuple(bucket for bucket in buckets if bucket.unit is Unit.TOKENS),
    )


def _bucket_subject(scope: Scope, org_id: str, subject: str) -> str:
    return org_id if scope is Scope.ORGANISATION else f"{org_id}/{subject}"
