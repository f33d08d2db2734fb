"""What of the host is lent to sandboxes: users, and files in memory."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sandbox_service.adapters import isolation_backend_oci as oci
from sandbox_service.adapters.namespaces import user_ids
from sandbox_service.adapters.namespaces.failures import LaunchFailedError
from sandbox_service.adapters.namespaces.streams import sealed
from sandbox_service.adapters.namespaces.user_ids import UserIds
from sandbox_service.domain.image import BASE, Image
from sandbox_service.domain.limits import RunLimits
from sandbox_service.ports.isolation_backend import SandboxSpec
from shared.clock import SystemClock
from shared.errors import PreconditionFailed
from shared.ids import new_id

IMAGE, LIMITS = Image(BASE, "digest"), RunLimits(1.0, 1 << 26, 8, 1 << 16)
SPEC = SandboxSpec("org-a", IMAGE, LIMITS)
_MFD_NOEXEC_SEAL = 0x8


async def test_users_are_nobody_else_s_and_have_an_end() -> None:
    users = UserIds(is_root=True, first=7_000, count=3)
    taken = {await users.take(SPEC) for _ in range(3)}
    assert taken == {7_000, 7_001, 7_002}
    with pytest.raises(LaunchFailedError):
        await users.take(SPEC)
    users.give_back(7_001)
    assert await users.take(SPEC) == 7_001


async def test_paths_of_the_host_are_looked_at_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[threading.Thread] = []
    monkeypatch.setattr(user_ids, "_owner", lambda _paths: looked.append(threading.current_thread()) or 1234)
    spec = SandboxSpec("org-a", IMAGE, LIMITS, writable_paths=("/srv/x",))
    assert await UserIds(is_root=True).take(spec) == 1234
    assert threading.current_thread() not in looked


async def test_a_container_that_is_refused_gives_its_user_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = UserIds(is_root=True, first=7_000, count=1)
    backend = oci.OciBackend(oci.OciOptions(tmp_path / "none", tmp_path, 1 << 20, 16, 1.0), SystemClock(), new_id)
    monkeypatch.setattr(backend, "_user_ids", users)
    monkeypatch.setattr(backend, "_look_at_host", lambda: None)

    def refuse(*_: object) -> None:
        raise PreconditionFailed("PROGRAM_NOT_FOUND", "none")

    monkeypatch.setattr(backend, "_start", refuse)
    with pytest.raises(PreconditionFailed):
        await backend.create(SPEC, lambda: None)
    assert await users.take(SPEC) == 7_000


def test_what_a_program_reads_is_no_program() -> None:
    try:
        os.close(os.memfd_create("try", _MFD_NOEXEC_SEAL))
    except OSError:  # before Linux 6.3
        expected = True
    else:
        expected = False
    fd = sealed("stdin", b"#!/bin/sh\n")
    try:
        assert bool(os.fstat(fd).st_mode & 0o111) is expected
        with pytest.raises(PermissionError):
            os.write(fd, b"x")
    finally:
        os.close(fd)
