"""What a caller wants to have run."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.program import Program
from sandbox_service.domain.workspace import InputFile


@dataclass(frozen=True, slots=True)
class Caller:
    """Who wants it.

    Attributes:
        org_id: organisation.
        user_id: user, or the service that acts.
    """

    org_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class RunOrder:
    """A program to run once.

    Attributes:
        program: what to run.
        limits: wanted, 0 for the default of each.
        image: name or digest; empty for the base image.
        files: to put into the workspace first.
        output_paths: paths and patterns of files to return.
        strict: whether nothing is shared with other runs of the organisation.
        egress: wanted `host:port` targets.
    """

    program: Program
    limits: RunLimits
    image: str = ""
    files: tuple[InputFile, ...] = ()
    output_paths: tuple[str, ...] = ()
    strict: bool = False
    egress: tuple[str, ...] = ()
