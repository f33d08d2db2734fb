"""A group of commands that imports a command only when it is called, so that `nexus --help` is fast."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Target:
    """Where a command lives: a module with a `typer.Typer` called `app`, and its line in the help."""

    module: str
    help: str


class DeferredCommand(TyperCommand):
    """Stands for a command in help and completion; becomes the real one when it is called."""

    def __init__(self, name: str, target: Target) -> None:
        super().__init__(name, help=target.help, short_help=target.help)
        self._module = target.module

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return the context of the real command."""
        module = importlib.import_module(self._module)
        real = typer.main.get_command(module.app)
        real.name = self.name
        show_flags_bare(real)
        return real.make_context(info_name, args, parent=parent, **extra)


def show_flags_bare(command: Any) -> None:
    """Take the type from the flags of a command and of those below it: `--json` takes no `<bool>`."""
    for parameter in command.get_params(typer.Context(command)):
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    for below in getattr(command, "commands", {}).values():
        show_flags_bare(below)


def lazy_group(targets: Mapping[str, Target]) -> type[TyperGroup]:
    """Return a group class whose commands are `targets`, in their order."""

    class LazyGroup(TyperGroup):
        """The commands of the table."""

        def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
            """Return the context of the group."""
            show_flags_bare(self)
            return super().make_context(info_name, args, parent=parent, **extra)

        def list_commands(self, ctx: Any) -> list[str]:
            """Return the names in the order of the table."""
            del ctx
            return list(targets)

        def get_command(self, ctx: Any, cmd_name: str) -> DeferredCommand | None:
            """Return the stand-in of a command; None for an unknown name."""
            del ctx
            target = targets.get(cmd_name)
            return None if target is None else DeferredCommand(cmd_name, target)

    return LazyGroup
