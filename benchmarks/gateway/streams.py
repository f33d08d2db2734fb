"""The streams that are asked for; gateways that want to know all models are told these."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.gateway.answers import model_of_events


@dataclass(frozen=True, slots=True)
class Stream:
    """A streamed answer: so many pieces, one each so many milliseconds; 0 for all at once."""

    pieces: int
    every_ms: int

    @property
    def model(self) -> str:
        """The upstream's model that answers so."""
        return model_of_events(self.pieces, self.every_ms)


PACED = (Stream(10, 5), Stream(210, 5))
"""A short and a long one as a model says them: one piece after the other."""
BURST = (Stream(10, 0), Stream(210, 0))
"""A short and a long one of which gateways get many pieces in one read."""
PROMPT = Stream(3, 20)
"""Of which the first piece is timed."""
SLOW, SLOW_ALONE = Stream(16, 1000), Stream(4, 1000)
"""That say a piece a second, while memory is looked at."""
ALL = (*PACED, *BURST, PROMPT, SLOW, SLOW_ALONE)
