"""What the steps of one attempt at a run work with, in memory; what must survive is in the graph's state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from orchestrator.domain.agent_config import AgentConfig
from orchestrator.domain.conversation import Message
from orchestrator.domain.events import ToolCallFinished, Warned
from orchestrator.domain.run import Run
from orchestrator.domain.tools import Origin
from orchestrator.use_cases.record_events import RecordEvents
from shared.clock import Clock


@dataclass(slots=True)
class RunWork:
    """One attempt at a run.

    Attributes:
        run: the run as it was when the attempt began.
        events: where everything that happens is recorded.
        config: the organisation's configuration.
        history: what was said in the conversation before, oldest first.
        ends_at_s: monotonic second at which the run's time is over.
        clock: the time.
        finished_calls: tool calls that an earlier attempt finished, by id; they are not made again.
        tools_used: names of the tools that earlier runs of the conversation called.
    """

    run: Run
    events: RecordEvents
    config: AgentConfig
    history: tuple[Message, ...]
    ends_at_s: float
    clock: Clock
    finished_calls: dict[str, ToolCallFinished] = field(default_factory=dict[str, ToolCallFinished])
    tools_used: Sequence[str] = ()

    @property
    def origin(self) -> Origin:
        """What the run's tool calls are part of."""
        return Origin(self.run.conversation_id, self.run.run_id, channel=self.run.channel)

    def remaining_s(self) -> float:
        """Return the seconds that the run has left, at least a tenth."""
        return max(0.1, self.ends_at_s - self.clock.monotonic())

    def local_now(self) -> datetime:
        """Return the time in the organisation's time zone; in UTC when that is not known."""
        now = self.clock.now()
        try:
            return now.astimezone(ZoneInfo(self.config.time_zone))
        except (KeyError, ValueError, OSError):
            return now

    def today(self) -> str:
        """Return the day for a prompt, such as `Friday, 2026-11-20`."""
        return self.local_now().strftime("%A, %Y-%m-%d")

    def warn_once(self, code: str, message: str, given: list[str]) -> list[str]:
        """Record a warning unless its code is among those given; return the codes given after that."""
        if code in given:
            return given
        self.events.note(Warned(code, message))
        return [*given, code]
