"""Notes how good the answer of a decision was, for the decisions to come."""

from __future__ import annotations

from dataclasses import dataclass

from provider_router.domain.decisions.recorded_decision import decision_damaged, decision_unknown, read_record
from provider_router.domain.decisions.service_state import Reward
from provider_router.domain.errors import Reason, failure
from provider_router.domain.money.attempt import Outcome
from provider_router.ports.decision_log import DecisionLog
from provider_router.ports.ledger import Ledger
from provider_router.ports.rewards import Rewards

_MOST_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class NotedOutcome:
    """What became of a report.

    Attributes:
        counted: Whether it counts; False when the decision had an outcome before.
        service: `provider/model` that it counts for.
        reward: What was learned of that service for that task class so far.
    """

    counted: bool
    service: str
    reward: Reward


class ReportOutcome:
    """The first report of a decision counts, for the service that answered: a fallback, where the choice failed."""

    def __init__(self, log: DecisionLog, ledger: Ledger, rewards: Rewards) -> None:
        self._log = log
        self._ledger = ledger
        self._rewards = rewards

    async def __call__(self, org_id: str, decision_id: str, reward_ppm: int) -> NotedOutcome:
        """Notes an outcome, 0 for useless to 1_000_000 for perfect. Idempotent by decision.

        Raises:
            NotFound: DECISION_UNKNOWN.
            PreconditionFailed: NOT_ANSWERED, when no attempt of the decision succeeded; DECISION_DAMAGED.
            UpstreamDown: The store cannot be used.
        """
        record = await self._log.get(org_id, decision_id)
        if record is None:
            raise decision_unknown(decision_id)
        decision = read_record(record).decision
        if decision is None:
            raise decision_damaged(decision_id)
        service = await self._answered_by(org_id, decision_id)
        task_class = decision.request.estimate.task_class
        counted = await self._rewards.add(org_id, decision_id, service, task_class, reward_ppm)
        reward = self._rewards.of(org_id).get(service, {}).get(task_class, Reward())
        return NotedOutcome(counted, service, reward)

    async def _answered_by(self, org_id: str, decision_id: str) -> str:
        """The service of the last attempt that succeeded: the one whose answer ended the call."""
        entries = await self._ledger.entries(org_id, decision_id=decision_id, limit=_MOST_ATTEMPTS)
        for entry in reversed(entries):
            if entry.closing is not None and entry.closing.outcome is Outcome.SUCCEEDED:
                return entry.opening.service
        raise failure(
            Reason.NOT_ANSWERED,
            f"The decision '{decision_id}' has no answer that could be judged: no attempt of it has succeeded.",
            metadata={"decision_id": decision_id},
        )
