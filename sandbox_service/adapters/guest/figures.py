"""Figures of matplotlib as PNG, for programs that have imported it."""

from __future__ import annotations

import io
import sys
from typing import Any

from sandbox_service.adapters.guest.channel import Channel, ChannelLost
from sandbox_service.adapters.guest.forms import MAX_FORM_BYTES, Form, image_form, text_form
from sandbox_service.adapters.guest.process import say

MAX_FIGURES = 16
"""Most figures that a program or a cell shows at its end."""
_SCALES = (1.0, 0.5, 0.25)


def is_figure(value: object) -> bool:
    """Say whether `value` is a figure of matplotlib."""
    module = sys.modules.get("matplotlib.figure")
    return module is not None and isinstance(value, module.Figure)


def figure_forms(figure: Any) -> list[Form]:
    """Return the forms of a figure: its picture, coarser where it would be too large for a frame."""
    for scale in _SCALES:
        target = io.BytesIO()
        figure.savefig(target, format="png", dpi=figure.dpi * scale, bbox_inches="tight")
        if target.tell() <= MAX_FORM_BYTES:
            return [text_form("text/plain", repr(figure)), image_form(target.getvalue())]
    return [text_form("text/plain", f"{figure!r}\n[image/png left out: too large]")]


def close_figure(value: object) -> None:
    """Take a figure that has been shown out of those that are open; anything else is left alone."""
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and is_figure(value):
        pyplot.close(value)


def send_open_figures(channel: Channel) -> None:
    """Send the figures that are open, in the order of their numbers, and close them.

    Raises:
        ChannelLost: when there is no channel any more.
    """
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    numbers = list(pyplot.get_fignums())
    for number in numbers[:MAX_FIGURES]:
        try:
            channel.send_result(figure_forms(pyplot.figure(number)))
        except ChannelLost:
            raise
        except Exception as error:  # noqa: BLE001  drawing runs what the program has put into the figure
            say(f"figure {number} cannot be drawn: {type(error).__name__}: {error}\n")
    if len(numbers) > MAX_FIGURES:
        say(f"{len(numbers) - MAX_FIGURES} more figures are not shown\n")
    pyplot.close("all")
