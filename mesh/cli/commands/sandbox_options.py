"""Options that several commands of `nexus sandbox` take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LanguageOption = Annotated[str, typer.Option("--language", help="python or shell.", metavar="NAME")]
ImageOption = Annotated[str, typer.Option("--image", help="Name or digest of the image; default: base.")]
MemoryOption = Annotated[
    int, typer.Option("--memory", min=0, help="Most memory, in MiB; default: the service's.", show_default=False)
]
TimeoutOption = Annotated[
    float,
    typer.Option("--timeout", min=0, help="Longest wall time, in seconds; default: the service's.", show_default=False),
]
EgressOption = Annotated[
    list[str] | None,
    typer.Option("--egress", help="What it may reach; repeat it for more.", metavar="HOST:PORT", show_default=False),
]
OutOption = Annotated[
    list[str] | None,
    typer.Option(
        "--out", help="Path or pattern (* ? **) of files to return; repeat it.", metavar="PATTERN", show_default=False
    ),
]
DestOption = Annotated[Path, typer.Option("--dest", help="Folder for what comes out.", metavar="DIR")]
ForceOption = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]
SessionArgument = Annotated[str, typer.Argument(help="The session's id.", metavar="SESSION_ID")]
