"""`python -m mesh.weights [--dir DIR] [--json]`: sets up the model weights. Progress goes to stderr."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mesh.weights.errors import WeightsError
from mesh.weights.install import WeightFile, install
from mesh.weights.settings import WeightsSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the set-up. Returns the exit status: 0 when all weights are in place, 1 otherwise."""
    settings = WeightsSettings()
    parser = argparse.ArgumentParser(prog="python -m mesh.weights", description="Sets up the model weights.")
    parser.add_argument("--dir", type=Path, default=settings.dir, help="weights directory (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object on stdout")
    options = parser.parse_args(arguments)
    directory: Path = options.dir.expanduser().absolute()
    try:
        files = install(directory, settings.download_timeout_s, _progress)
    except WeightsError as error:
        return _report(directory, [], error, as_json=options.json)
    return _report(directory, files, None, as_json=options.json)


def _progress(line: str) -> None:
    sys.stderr.write(f"weights: {line}\n")
    sys.stderr.flush()


def _report(directory: Path, files: list[WeightFile], error: WeightsError | None, *, as_json: bool) -> int:
    if as_json:
        status = {
            "ok": error is None,
            "dir": str(directory),
            "files": [asdict(file) for file in files],
            "error": error.message if error else "",
            "remedy": error.remedy if error else "",
        }
        sys.stdout.write(json.dumps(status) + "\n")
    elif error is None:
        for file in files:
            sys.stdout.write(f"{file.path}  {file.size_bytes / 1e6:.0f} MB  {'new' if file.created else 'in place'}\n")
    if error is not None:
        sys.stderr.write(f"weights: {error.message} {error.remedy}\n")
    return 0 if error is None else 1


if __name__ == "__main__":
    sys.exit(main())
