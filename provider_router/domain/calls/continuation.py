"""How one model goes on where another broke off."""

from __future__ import annotations

from dataclasses import replace

from provider_router.domain.calls.chat import ChatRequest, Message, Role
from provider_router.domain.contracts.service import Service

PREFILL_TRAIT = "assistant_prefill"
"""A service whose contract has this trait, true, goes on by itself from a last message of the assistant. Others would
answer such a message, or refuse it, and are asked in words."""

_WINDOW = 4096
_SHORTEST_OVERLAP = 12
_FEWEST_CHARACTERS = 4


def continued_request(request: ChatRequest, so_far: str, service: Service, instruction: str, used: int) -> ChatRequest:
    """The request that asks `service` to go on after `so_far`.

    Args:
        request: What was asked at first; free of tools in progress and of a schema.
        so_far: The text that came; not empty.
        service: Which goes on.
        instruction: What to ask of a service that does not go on by itself.
        used: Tokens of `so_far`, which count against the caller's limit.
    """
    if goes_on_by_itself(service):
        # Such services refuse white space at the end; the trimmer takes it from the start of what they say.
        messages = (*request.messages, Message(Role.ASSISTANT, so_far.rstrip() or so_far))
    else:
        messages = (*request.messages, Message(Role.ASSISTANT, so_far), Message(Role.USER, instruction))
    limit = request.max_output_tokens
    return replace(request, messages=messages, max_output_tokens=max(1, limit - used) if limit else limit)


def goes_on_by_itself(service: Service) -> bool:
    """Whether `service` goes on from a last message of the assistant."""
    return service.contract.traits.get(PREFILL_TRAIT) is True


class OverlapTrimmer:
    """Takes from the start of a continuation what it repeats of the text before it.

    Text is held back only while it may still turn out to be a repetition. A repetition is the whole text so far, or its
    end, when that is long and varied enough to be no accident: continuing `Hel` with `lo` repeats nothing, and neither
    does another line of dashes.

    Args:
        so_far: The text before; its last 4,096 characters are looked at.
        after_prefill: Whether white space at the end of `so_far` was not shown to the model, so that it says it again.
    """

    def __init__(self, so_far: str, *, after_prefill: bool = False) -> None:
        self._space = so_far[len(so_far.rstrip()) :] if after_prefill else ""
        self._tail = so_far[-_WINDOW:]
        self._whole = self._tail if len(so_far) <= _WINDOW else ""
        self._held = ""
        self._decided = not so_far

    def add(self, text: str) -> str:
        """Takes the next piece of the continuation; returns what of it, and of the pieces before, is new so far."""
        text = self._without_space(text)
        if self._decided:
            return text
        self._held += text
        # Held back while the tail has it somewhere and goes on after it: the rest may still follow.
        found = self._tail.find(self._held)
        if found >= 0 and found + len(self._held) < len(self._tail):
            return ""
        return self.end()

    def end(self) -> str:
        """Returns what is still held back and is no repetition; nothing more is held back after."""
        held, self._held, self._decided = self._held, "", True
        return held[self._overlap(held) :]

    def _without_space(self, text: str) -> str:
        """`text` without the white space that was there already."""
        while self._space and text.startswith(self._space[0]):
            self._space, text = self._space[1:], text[1:]
        if text:
            self._space = ""
        return text

    def _overlap(self, held: str) -> int:
        """How many characters at the start of `held` repeat the end of the tail."""
        for length in range(min(len(held), len(self._tail)), 0, -1):
            start = held[:length]
            if self._tail.endswith(start) and self._is_no_accident(start):
                return length
        return 0

    def _is_no_accident(self, repeated: str) -> bool:
        if repeated == self._whole:
            return len(repeated) >= _FEWEST_CHARACTERS
        return len(repeated) >= _SHORTEST_OVERLAP and len(set(repeated)) >= _FEWEST_CHARACTERS
