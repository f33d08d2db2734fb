"""Opening files beneath a folder, on kernels with and without openat2."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sandbox_service.adapters.launcher import kernel


@pytest.fixture(params=["openat2", "without"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "without":

        def refused(*_args: object) -> int:
            raise OSError(errno.ENOSYS, "no such call")

        monkeypatch.setattr(kernel, "_syscall", refused)
    inner = tmp_path / "work"
    (inner / "a" / "b").mkdir(parents=True)
    (inner / "a" / "b" / "c").write_text("here")
    (inner / "link").symlink_to("a/b/c")
    (inner / "out").symlink_to("..")
    (inner / "a" / "folder").symlink_to("b")
    (tmp_path / "secret").write_text("no")
    return inner


def test_a_file_beneath_is_opened_and_made(folder: Path) -> None:
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fd = kernel.open_beneath(at, "a/b/c", os.O_RDONLY)
    assert os.read(fd, 10) == b"here"
    assert not os.get_inheritable(fd)
    os.close(fd)
    os.close(kernel.open_beneath(at, ".", os.O_RDONLY | os.O_DIRECTORY))
    made = kernel.open_beneath(at, "a/new", os.O_WRONLY | os.O_CREAT, 0o640)
    assert os.fstat(made).st_mode & 0o777 == 0o640 & ~_mask()
    os.close(made)
    os.close(at)


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("path", ["link", "out/secret", "../secret", "a/../../secret", "/etc/passwd", "a/folder/c"])
def test_links_and_ways_out_are_refused(folder: Path, path: str) -> None:
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match=r"."):
        kernel.open_beneath(at, path, os.O_RDONLY)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    os.close(at)
