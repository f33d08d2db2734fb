"""How one key of a deployment is: in use, cooling down, or retired."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PausePolicy:
    """How long keys and deployments are left alone.

    Attributes:
        retired_s: A refused key, where neither the configuration nor the key itself changes before. Long, since
            people repair it; not for ever, since they repair it at the provider, where nobody tells the router.
        cooldown_s: The first pause after a rate limit for which the provider gave no time.
        cooldown_cap_s: Such pauses double in a row up to this; a time that the provider gave is kept as it is.
    """

    retired_s: float = 900.0
    cooldown_s: float = 2.0
    cooldown_cap_s: float = 60.0


@dataclass(slots=True)
class KeyHealth:
    """One key, for one model at one deployment: a key may be good for one model and refused for another.

    Times are seconds of a clock that never goes back. `fingerprint` is a salted hash that never leaves the process;
    the key itself is not kept.
    """

    retired_until: float = 0.0
    refused_fingerprint: int = 0
    cooling_until: float = 0.0
    limits_in_a_row: int = 0

    def is_retired(self, now: float, fingerprint: int) -> bool:
        """Whether the key of `fingerprint` was refused; another key under the same name was not."""
        return now < self.retired_until and fingerprint == self.refused_fingerprint

    def retire(self, now: float, fingerprint: int, policy: PausePolicy) -> bool:
        """Takes the key out of use; returns whether it was in use before."""
        was_retired = self.is_retired(now, fingerprint)
        self.retired_until = now + policy.retired_s
        self.refused_fingerprint = fingerprint
        return not was_retired

    def cool(self, now: float, retry_after_s: float | None, policy: PausePolicy) -> bool:
        """Lets the key rest after a rate limit; returns whether it was not resting yet.

        Calls that were under way together are limited together: only the first of them makes the pauses longer.
        """
        begins = now >= self.cooling_until
        if begins:
            self.limits_in_a_row += 1
        if retry_after_s:
            rest_s = retry_after_s
        else:
            rest_s = min(policy.cooldown_cap_s, policy.cooldown_s * 2.0 ** min(self.limits_in_a_row - 1, 64))
        if begins or retry_after_s:
            self.cooling_until = max(self.cooling_until, now + rest_s)
        return begins

    def worked(self, now: float) -> None:
        """Notes that a call with it succeeded."""
        if now >= self.cooling_until:
            self.limits_in_a_row = 0

    def reinstate(self) -> None:
        """Puts a retired key back into use."""
        self.retired_until = 0.0
