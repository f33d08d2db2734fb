"""What requests and files call a field of a contract, so that each author reads their own words."""

from __future__ import annotations

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]
"""Names of the fields of `Contract` and of its parts, and indexes."""

_KINDS = ("input", "output", "cached_input", "cache_write")
_ASKED_AS: Mapping[tuple[str, str], str] = {
    ("quality", "default"): "default_ppm",
    ("prices", "per_request"): "per_request_micro_usd",
    **{(section, kind): f"{kind}_micro_usd" for section in ("rates", "long_context_rates") for kind in _KINDS},
}
"""What requests call a field of a section, where the names differ."""
_MEANT_BY: Mapping[tuple[str, str], str] = {(section, asked): own for (section, own), asked in _ASKED_AS.items()}
_WRITTEN_AS: Mapping[str, tuple[str, ...]] = {
    "input_modalities": ("input",),
    "output_modalities": ("output",),
    "availability_ppm": ("availability",),
    "effective_date": ("from",),
    "start_minute": ("from",),
    "end_minute": ("to",),
    "rates": (),
    "long_context_rates": ("long_context",),
    "long_context_tokens": ("long_context", "above_tokens"),
}
"""What files call a field, where the names differ."""
_PART = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")


def field_text(path: Path) -> str:
    """A path as requests name it: `contract.prices[0].rates.input_micro_usd`."""
    shown, section = "contract", ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            shown += f".{_ASKED_AS.get((section, part), part)}"
            section = part
    return shown


def path_of(field: str) -> Path:
    """The path that `field_text` gave as `field`."""
    path, section = list[str | int](), ""
    for index, name in _PART.findall(field.removeprefix("contract.")):
        if index:
            path.append(int(index))
        else:
            path.append(_MEANT_BY.get((section, name), name))
            section = name
    return tuple(path)


def written_path(path: Path) -> Path:
    """A path in a file: `prices`, 0, `input`."""
    return tuple(
        word for part in path for word in (_WRITTEN_AS.get(part, (part,)) if isinstance(part, str) else (part,))
    )


def written_text(path: Path) -> str:
    """A path as files name it: `prices[0].input`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in written_path(path)).removeprefix(
        "."
    )
