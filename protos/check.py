"""Checks the contracts: `buf lint`, `buf breaking` against the last commit, and that `protos/gen` is up to date.

Run with `make contracts`. The comparison is made with the newest release (a tag `v*`); before the first release
with HEAD when contracts have uncommitted changes, and with HEAD's parent otherwise.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import generate

ROOT = generate.PROTOS.parent
_BUF = str(Path(sys.executable).parent / "buf")


def main() -> None:
    """Run the checks; leave with the first one that fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fresh = folder / "gen"
        fresh.mkdir()
        generate.write_code(fresh)
        if _snapshot(fresh) != _snapshot(generate.GEN):
            sys.exit("protos/gen is not what the contracts generate: run `make gen` and commit the result.")
        image = folder / "contracts.binpb"
        generate.write_image(generate.PROTOS, image)
        _run([_BUF, "lint", str(image), "--config", "buf.yaml"])
        base = _base_revision()
        if base is None:
            sys.stdout.write("contracts: linted, generated code up to date; nothing older to compare with\n")
            return
        older = folder / "older.binpb"
        generate.write_image(_contracts_of(base, folder), older)
        _run([_BUF, "breaking", str(image), "--against", str(older), "--config", "buf.yaml"])
    sys.stdout.write(f"contracts: linted, generated code up to date, compatible with {base[:12]}\n")


def _contracts_of(revision: str, folder: Path) -> Path:
    """Write the contracts of `revision` below `folder` and return where they are."""
    archive = folder / "contracts.tar"
    _run(["git", "archive", "--output", str(archive), revision, "protos"])
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "older", filter="data")
    return folder / "older" / "protos"


def _base_revision() -> str | None:
    """Return the revision to compare with, or None when there is no older one with contracts."""
    tags = _output(["git", "tag", "--list", "v*", "--sort=-v:refname"]).split()
    dirty = _output(["git", "status", "--porcelain", "--", "protos"])
    revision = tags[0] if tags else "HEAD" if dirty else "HEAD~1"
    command = ["git", "rev-parse", "--verify", "--quiet", f"{revision}:protos/nexus"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)  # noqa: S603
    return _output(["git", "rev-parse", revision]).strip() if found.returncode == 0 else None


def _snapshot(folder: Path) -> dict[str, bytes]:
    """Return the generated files below `folder` and their content."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.py*") if p.suffix in {".py", ".pyi"}}


def _output(command: list[str]) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S603


def _run(command: list[str]) -> None:
    """Run `command` in the repository; leave with its exit code when it fails."""
    code = subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603
    if code:
        sys.exit(code)


if __name__ == "__main__":
    main()
