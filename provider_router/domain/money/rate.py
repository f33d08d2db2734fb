"""Token buckets for requests and tokens a minute.

A bucket holds at most what it gives in a minute and fills up evenly. What was taken and has not come back is counted
in integers without a remainder: in units of a request or token divided by the microseconds of a minute, of which
`per_minute` come back every microsecond. So no amount is lost or made by rounding, however often it is asked.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from provider_router.domain.money.budget import Scope
from shared.value import value

MINUTE_US = 60_000_000


class Unit(StrEnum):
    """What a bucket counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"


@value
class Bucket:
    """A bucket: it holds at most `per_minute` and refills at that rate.

    Attributes:
        scope: What it is for.
        subject: The id of that, with its organisation where it has one: `org/user`.
        unit: What it counts.
        per_minute: Its size and its rate, at least 1.
        name: Of the bucket, the same for another rate: a changed limit applies to what was taken before.
    """

    scope: Scope
    subject: str
    unit: Unit
    per_minute: int
    name: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.scope.value}/{self.unit.value}/{self.subject}")


@value
class Charge:
    """What one call takes of one bucket. More than the bucket's size is taken when the bucket is full."""

    bucket: Bucket
    amount: int


def drained(taken: int, elapsed_us: int, per_minute: int) -> int:
    """What is still taken after a time; a clock that went back brings nothing back."""
    return max(0, taken - max(0, elapsed_us) * per_minute)


def wait_us(taken: int, charge: Charge) -> int:
    """How long until `charge` can be taken, in microseconds; 0 when it can be now."""
    per_minute = charge.bucket.per_minute
    over = taken - (per_minute - min(charge.amount, per_minute)) * MINUTE_US
    return 0 if over <= 0 or charge.amount <= 0 else -(-over // per_minute)


def changed(taken: int, amount: int) -> int:
    """What is taken after `amount` more; never less than nothing, since a bucket is never fuller than full."""
    return max(0, taken + amount * MINUTE_US)
