"""What is wrong in a configuration file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ConfigurationProblem:
    """A file whose newest content is not in force. What it said before is, or what is closed holds.

    Attributes:
        file: Relative to the folder of the configuration, with `/` between its parts.
        line: Where, from 1; 0 where no line is to blame, as for a file that cannot be read.
        message: What is wrong, with the path of the field; never a value of the file.
        since: Since when this file is not in force, whatever was wrong with it first.
    """

    file: str
    line: int
    message: str
    since: datetime

    def __str__(self) -> str:
        place = f"{self.file} line {self.line}:" if self.line else self.file
        return f"{place} {self.message}"
