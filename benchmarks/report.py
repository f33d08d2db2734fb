"""The table that people read and the JSON that programs compare."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. `target` is the most it may be, `least` the least; None for no target."""

    name: str
    value: float
    unit: str
    target: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target. A value that is not a number meets none."""
        if self.target is None and self.least is None:
            return None
        most = math.inf if self.target is None else self.target
        least = -math.inf if self.least is None else self.least
        return least <= self.value <= most


def show(rows: list[Row], title: str = "Nexus benchmarks") -> None:
    """Print the rows as a table."""
    table = Table(title=title)
    for heading in ("measurement", "value", "unit", "target", "met"):
        table.add_column(heading, justify="right" if heading in ("value", "target") else "left")
    for row in rows:
        met = "?" if math.isnan(row.value) else {None: "", True: "yes", False: "NO"}[row.met]
        target = f">= {row.least:g}" if row.least is not None else "" if row.target is None else f"{row.target:g}"
        value = f"{row.value:.2f}" if row.unit == "x" else f"{row.value:.1f}"
        table.add_row(row.name, value, row.unit, target, met)
    Console().print(table)


def as_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Return the rows as JSON values."""
    return [asdict(row) | {"met": row.met} for row in rows]
