"""Control groups of both versions, over the texts and files that kernels give."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox_service.adapters.namespaces.cgroups import (
    CgroupTree,
    GroupLimits,
    GroupUsage,
    Hierarchy,
    RunGroup,
    apply_limits,
    mounts_of,
)

LIMITS = GroupLimits(memory_bytes=64 << 20, processes=10, cpu_cores=0.5)
SYSTEMD_V2 = "35 25 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1 = """\
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
40 31 0:36 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw"""
DOCKER_V1 = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory"


def test_mounts_of_each_version_are_found() -> None:
    found = mounts_of(V1)
    assert [(m.version, str(m.point), sorted(m.controllers)) for m in found] == [
        (1, "/sys/fs/cgroup/cpu,cpuacct", ["cpu", "cpuacct"]),
        (1, "/sys/fs/cgroup/memory", ["memory"]),
        (2, "/sys/fs/cgroup/unified", ["cpu", "memory", "pids"]),
    ]


@pytest.mark.parametrize(
    ("mountinfo", "membership", "candidates"),
    [
        (SYSTEMD_V2, "0::/user.slice/me.scope", ["/sys/fs/cgroup/user.slice/me.scope", "/sys/fs/cgroup"]),
        (SYSTEMD_V2, "0::/", ["/sys/fs/cgroup"]),
        (DOCKER_V1, "4:memory:/docker/abc\n0::/", ["/sys/fs/cgroup/memory"]),
        (DOCKER_V1, "4:memory:/docker/abc/in\n0::/", ["/sys/fs/cgroup/memory/in", "/sys/fs/cgroup/memory"]),
        (DOCKER_V1, "4:memory:/elsewhere", ["/sys/fs/cgroup/memory"]),
    ],
)
def test_the_services_own_group_is_tried_first(mountinfo: str, membership: str, candidates: list[str]) -> None:
    assert [str(path) for path in mounts_of(mountinfo)[0].candidates(membership)] == candidates


def test_a_host_where_nothing_can_be_made_has_no_controllers(tmp_path: Path) -> None:
    tree = CgroupTree.detect(f"35 25 0:30 / {tmp_path}/none rw - cgroup cgroup rw,memory", "4:memory:/")
    assert tree.controllers == frozenset()
    # A folder without the kernel's files: limits cannot be written, so it is not taken, and nothing is left in it.
    assert CgroupTree.detect(f"35 25 0:30 / {tmp_path} rw - cgroup cgroup rw,memory", "4:memory:/").hierarchies == ()
    assert list(tmp_path.iterdir()) == []


def folder_with(path: Path, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).touch()
    return path


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_limits_of_version_2(tmp_path: Path) -> None:
    names = ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.max")
    folder = folder_with(tmp_path / "g", *names)
    apply_limits(folder, Hierarchy(2, tmp_path, frozenset({"memory", "pids", "cpu"})), LIMITS)
    assert contents(folder) == {
        "memory.max": str(64 << 20),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "10",
        "cpu.max": "50000 100000",
    }


def test_limits_of_version_1(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "g", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    apply_limits(folder, Hierarchy(1, tmp_path, frozenset({"memory"})), LIMITS)
    assert set(contents(folder).values()) == {str(64 << 20)}


def test_a_kernel_without_swap_accounting_is_enough(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "g", "memory.max")
    apply_limits(folder, Hierarchy(2, tmp_path, frozenset({"memory"})), LIMITS)
    assert contents(folder) == {"memory.max": str(64 << 20)}
    with pytest.raises(FileNotFoundError):
        apply_limits(folder, Hierarchy(2, tmp_path, frozenset({"pids"})), LIMITS)


def test_usage_of_version_2(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "g")
    (folder / "memory.events").write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n")
    (folder / "memory.peak").write_text("12345\n")
    (folder / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
    assert RunGroup({"memory": folder}, {"memory": 2}).usage() == GroupUsage(2, 12345, 1.5)


def test_usage_of_version_1_and_of_old_kernels(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "g")
    (folder / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    (folder / "memory.max_usage_in_bytes").write_text("777\n")
    (folder / "cpuacct.usage").write_text("2500000000\n")
    group = RunGroup({"memory": folder, "cpuacct": folder}, {"memory": 1, "cpuacct": 1})
    assert group.usage() == GroupUsage(1, 777, 2.5)
    assert RunGroup({"memory": folder}, {"memory": 2}).usage() == GroupUsage(0, None, None)
