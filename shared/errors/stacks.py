"""What an error that was dealt with still holds."""

from __future__ import annotations


def forget_stacks(error: BaseException) -> None:
    """Takes the stack off `error`, and off all that led to it; what it says stays.

    A stack holds the frames that the error went through, and these hold what the call was made of. Where any of that
    keeps the error, the call is in a circle with it, and in memory until the collector comes by, which it seldom does
    (`shared/server/garbage.py`). Whoever keeps an error, or is the last to see it, calls this.
    """
    seen: set[int] = set()
    found: list[BaseException | None] = [error]
    while found:
        each = found.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.__traceback__ = None
        found += (each.__cause__, each.__context__)
