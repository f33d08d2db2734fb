"""Tracebacks without the frames that are ours."""

from __future__ import annotations

import os
import types

_FOLDER = os.path.dirname(os.path.abspath(__file__)) + "/"  # noqa: PTH100, PTH120  a string, to compare with file names


def program_frames(trace: types.TracebackType | None, first: str = "") -> types.TracebackType | None:
    """Return `trace` without our frames, from the first one on whose file name starts with `first`; or None."""
    frames: list[types.TracebackType] = []
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith(_FOLDER) and (frames or name.startswith(first)):
            frames.append(trace)
        trace = trace.tb_next
    kept: types.TracebackType | None = None
    for frame in reversed(frames):
        frame.tb_next = kept
        kept = frame
    return kept
