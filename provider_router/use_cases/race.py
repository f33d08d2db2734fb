"""Two attempts side by side: the first that begins to answer wins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from provider_router.domain.calls.events import ModelEvent
from provider_router.domain.money.attempt import Outcome
from provider_router.use_cases.chat_attempt import ChatAttempt
from provider_router.use_cases.loose_ends import LooseEnds
from shared.errors import NexusError

_Runner: TypeAlias = asyncio.Task[ModelEvent]


@dataclass(slots=True)
class Race:
    """How a race ended.

    Attributes:
        winner: The attempt whose `first_event` came first; None when every one failed.
        first_event: Of the winner.
        failures: Attempts that failed, in that order.
        outraced: Settles the loser; None without one.
    """

    winner: ChatAttempt | None = None
    first_event: ModelEvent | None = None
    failures: Sequence[tuple[ChatAttempt, NexusError]] = ()
    outraced: asyncio.Task[None] | None = None


async def race(
    first: ChatAttempt, start_second: Callable[[], Awaitable[ChatAttempt | None]], after_s: float, ends: LooseEnds
) -> Race:
    """Waits for a piece of `first`; after `after_s` seconds without one, for the first piece of it and a second one.

    The loser is cancelled upstream before this returns. When this is cancelled, both are, and settled as aborted.

    Args:
        first: Not yet asked.
        start_second: Opens the second one; None where that cannot be.
        after_s: Until the second one is started.
        ends: Takes the settling of whatever is given up.
    """
    runners: dict[_Runner, ChatAttempt] = {_runner(first): first}
    ended = Race()
    try:
        await asyncio.wait(runners, timeout=after_s)
        if not _is_over(runners):
            second = await start_second()
            if second is not None:
                runners[_runner(second)] = second
        while runners and ended.winner is None:
            await asyncio.wait(runners, return_when=asyncio.FIRST_COMPLETED)
            _take_first(runners, ended)
    except BaseException:
        for task, attempt in runners.items():
            _leave(task, attempt, Outcome.ABORTED, ends, ends.why())
        raise
    for task, attempt in runners.items():
        ended.outraced = _leave(task, attempt, Outcome.OUTRACED, ends)
    return ended


def _runner(attempt: ChatAttempt) -> _Runner:
    return asyncio.get_running_loop().create_task(attempt.next())


def _is_over(runners: dict[_Runner, ChatAttempt]) -> bool:
    return all(task.done() for task in runners)


def _take_first(runners: dict[_Runner, ChatAttempt], ended: Race) -> None:
    """Moves what is done out of `runners`, until one has won. At a dead heat the one that began first wins."""
    for task in [task for task in runners if task.done()]:
        attempt = runners.pop(task)
        error = task.exception()
        if error is None:
            ended.winner, ended.first_event = attempt, task.result()
            return
        if not isinstance(error, NexusError):
            raise error
        ended.failures = (*ended.failures, (attempt, error))


def _leave(
    task: _Runner, attempt: ChatAttempt, outcome: Outcome, ends: LooseEnds, why: NexusError | None = None
) -> asyncio.Task[None]:
    attempt.left_to_others = True
    # At once, and not when the task below has its turn: upstream every moment costs money.
    task.cancel()
    return ends.add(_given_up(task, attempt, outcome, why))


async def _given_up(task: _Runner, attempt: ChatAttempt, outcome: Outcome, why: NexusError | None) -> None:
    await asyncio.wait({task})
    if not task.cancelled():
        # Looked at, so that nobody reports it as forgotten: the attempt is settled already where it failed.
        task.exception()
    await attempt.give_up(outcome, why)
