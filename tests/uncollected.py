"""What only the garbage collector would free: circles of objects that nobody uses any more."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

_OURS = ("provider_router.", "shared.errors.", "shared.http_server.", "shared.server.", "shared.storage.")


@contextmanager
def uncollected() -> Generator[list[object]]:
    """Holds the collector up within the block; the list is filled at its end."""
    found: list[object] = []
    # What is there already is not looked at.
    gc.freeze()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
        gc.unfreeze()


def ours(found: list[object]) -> list[str]:
    """The names of the types in `found` that are a service's."""
    types = {type(each) for each in found}
    return sorted(each.__qualname__ for each in types if each.__module__.startswith(_OURS))
