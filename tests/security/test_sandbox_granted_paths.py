"""Long processes with paths and programs of the host: what they were given, where it is, and nothing beside it."""

from __future__ import annotations

import os
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_rig import Sandbox, real_sandbox

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from sandbox_service.adapters.namespaces import host_programs
from shared.client import translated_errors
from shared.errors import PreconditionFailed

SOMEBODY = 65534
TRY = """
for path in "$@"; do
    cat $path/a 2>/dev/null || echo "no a"
    (echo new > $path/b) 2>/dev/null && echo written || echo refused
done
"""


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Path]:
    """A folder of this test: below /tmp, where every program has a folder of its own. What is made in it is for all."""
    before = os.umask(0o022)
    tmp_path.chmod(0o755)
    yield tmp_path.resolve()
    os.umask(before)


def folder(path: Path) -> Path:
    path.mkdir()
    (path / "a").write_text(f"{path.name}\n")
    if os.geteuid() == 0:
        os.chown(path, SOMEBODY, SOMEBODY)
    return path


async def process(allowed: Path, *argv: str, **paths: list[str]) -> tuple[int, list[str], str]:
    """Return exit code, lines of output, and errors of a process that may be given what lies below `allowed`."""
    async with real_sandbox(process_paths=[allowed]) as sandbox:
        return await started(sandbox, *argv, **paths)


async def refused(allowed: Path, *argv: str, **paths: list[str]) -> tuple[str, str]:
    """Return the reason and the words with which a process is refused."""
    async with real_sandbox(process_paths=[allowed]) as sandbox:
        with pytest.raises(PreconditionFailed) as caught:
            await started(sandbox, *argv, **paths)
    return caught.value.reason, caught.value.message


async def started(sandbox: Sandbox, *argv: str, **paths: list[str]) -> tuple[int, list[str], str]:
    async with translated_errors("sandbox"):
        begun = await sandbox.stub.StartProcess(pb.StartProcessRequest(argv=argv, **paths), timeout=20)
        out, errors, end = b"", b"", pb.ExecutionFinished()
        async for event in sandbox.stub.WatchProcess(pb.WatchProcessRequest(process_id=begun.process_id), timeout=20):
            out, errors, end = out + event.stdout, errors + event.stderr, event.finished
    return end.exit_code, out.decode().splitlines(), errors.decode()


async def test_granted_paths_are_where_they_are_on_the_host_below_private_folders_too(given: Path) -> None:
    read, write = folder(given / "read"), folder(given / "write")
    inner = folder(write / "inner")
    paths = {"read_only_paths": [str(inner), str(read)], "writable_paths": [str(write)]}
    _, said, _ = await process(given, "sh", "-c", TRY, "sh", str(read), str(write), str(inner), str(given), **paths)
    assert said == ["read", "refused", "write", "written", "inner", "refused", "no a", "written"]
    assert (write / "b").read_text() == "new\n"
    # Beside what was given it wrote into its own /tmp.
    assert [(path / "b").exists() for path in (read, inner, given)] == [False] * 3


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's service has one group only")
async def test_a_program_acts_in_the_group_of_what_it_may_write(given: Path) -> None:
    write = folder(given / "write")
    os.chown(write, SOMEBODY, SOMEBODY - 1)
    await process(given, "sh", "-c", f"echo new > {write}/b", writable_paths=[str(write)])
    assert ((write / "b").stat().st_uid, (write / "b").stat().st_gid) == (SOMEBODY, SOMEBODY - 1)
    os.chown(write, SOMEBODY, 0)
    reason, told = await refused(given, "true", writable_paths=[str(write)])
    assert (reason, "root's group" in told) == ("PATH_REFUSED", True)


@pytest.mark.parametrize("path", ["/usr/bin", "/usr", "/etc", "/", "/tmp", "/proc/self", "/sys/kernel", "/dev/null"])
async def test_what_programs_have_of_their_own_is_not_given(path: str) -> None:
    reason, told = await refused(Path("/"), "true", read_only_paths=[path])
    assert (reason, path in told) == ("PATH_REFUSED", True)


async def test_what_is_not_there_or_a_link_is_not_given(given: Path) -> None:
    (given / "link").symlink_to(folder(given / "real"))
    for name, why in (("gone", "does not exist"), ("link", "symbolic link")):
        reason, told = await refused(given, "true", read_only_paths=[str(given / name)])
        assert (reason, why in told) == ("PATH_REFUSED", True)


def script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def host_folder(given: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that counts as one of the host's folders of programs."""
    made = given / "programs"
    made.mkdir()
    monkeypatch.setattr(host_programs, "FOLDERS", (*host_programs.FOLDERS, str(made)))
    return made


async def test_a_program_of_the_host_is_found_and_nothing_beside_it(given: Path) -> None:
    # Every Debian has these two, and no image does.
    assert Path("/usr/bin/perl").exists()
    assert Path("/usr/bin/dpkg").exists()
    server = script(
        given / "server", '#!/usr/bin/env perl\nprint "perl $]: ", -e "/usr/bin/dpkg" ? "" : "alone", "\\n";\n'
    )
    (given / "link").symlink_to("server")
    paths = {"read_only_paths": [str(given)]}
    for argv in (["perl", server], ["/bin/perl", server], [str(given / "link")]):
        code, said, errors = await process(given, *argv, **paths)
        assert (code, errors) == (0, "")
        assert said[0].endswith(": alone")


async def test_programs_that_are_not_for_all_are_not_shown(given: Path, host_folder: Path) -> None:
    script(host_folder / "secret", "#!/bin/sh\n")
    (host_folder / "secret").chmod(0o750)
    folder(given / "beside")
    wanted: list[tuple[str, str]] = [
        ("secret", "nobody else may change"),
        ("nexus-no-such-program", "neither the image nor"),
        (str(given / "beside" / "a"), "no folder that it is given"),
        ("/root/x", "no folder that it is given"),
    ]
    for name, why in wanted:
        reason, told = await refused(given, name)
        assert (reason, why in told) == ("PROGRAM_NOT_FOUND", True), told


async def test_a_module_of_a_virtual_environment_runs(given: Path) -> None:
    place = given / "venv"
    venv.create(place, symlinks=True)
    packages = next(place.glob("lib/python*/site-packages"))
    (packages / "greeter.py").write_text("import sys\nprint('hello from', sys.prefix)\n")
    shown = [str(place)]
    code, said, errors = await process(given, str(place / "bin" / "python"), "-m", "greeter", read_only_paths=shown)
    assert (code, said) == (0, [f"hello from {place}"]), errors


async def test_a_program_that_cannot_be_run_says_so(given: Path) -> None:
    place = folder(given / "code")
    code, _, errors = await process(given, str(place / "a"), read_only_paths=[str(place)])
    assert (code, "Permission denied" in errors) == (127, True)
