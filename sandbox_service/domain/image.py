"""Images: what programs find when they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

BASE = "base"
"""The image of who names none."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is set up on this host.

    Attributes:
        name: for example `base`.
        digest: `sha256:` and 64 hexadecimal digits over its files.
        description: what it is for.
        packages: what is installed, each `name==version`.
        binds: (host path, path inside) of what is shown beside the interpreter, read-only.
        import_paths: paths inside at which modules are found.
        environment: of programs, beside the ordinary one.
        preload: modules that a zygote imports before its first program.
    """

    name: str
    digest: str
    description: str = ""
    packages: tuple[str, ...] = ()
    binds: tuple[tuple[str, str], ...] = ()
    import_paths: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    preload: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedImage:
    """An image as people see it.

    Attributes:
        name: for example `data`.
        digest: as of an Image; empty when it is not set up.
        description: what it is for.
        packages: what is installed, each `name==version`.
        remedy: what to do to set it up; empty when it is.
    """

    name: str
    digest: str
    description: str
    packages: tuple[str, ...]
    remedy: str = ""

    @property
    def is_available(self) -> bool:
        """Whether programs can run in it."""
        return not self.remedy
