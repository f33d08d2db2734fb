"""The table that people read and the JSON that programs compare."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. `target` is the most it may be; None for no target."""

    name: str
    value: float
    unit: str
    target: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target. A value that is not a number meets none."""
        return None if self.target is None else self.value <= self.target


def show(rows: list[Row]) -> None:
    """Print the rows as a table."""
    table = Table(title="Nexus benchmarks")
    for heading in ("measurement", "value", "unit", "target", "met"):
        table.add_column(heading, justify="right" if heading in ("value", "target") else "left")
    for row in rows:
        met = {None: "", True: "yes", False: "NO"}[row.met]
        target = "" if row.target is None else f"{row.target:g}"
        table.add_row(row.name, f"{row.value:.1f}", row.unit, target, met)
    Console().print(table)


def as_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Return the rows as JSON values."""
    return [asdict(row) | {"met": row.met} for row in rows]
