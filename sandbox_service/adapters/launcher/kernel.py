"""The system calls that Python has no function for, through ctypes. Each raises OSError as os functions do."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
# Keeps the interpreter's lock, which a fork needs.
_locked_libc = ctypes.PyDLL(None, use_errno=True)
_locked_libc.syscall.restype = ctypes.c_long

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REC = 1 << 14
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

ATTR_RDONLY = 1
ATTR_NOSUID = 2
ATTR_NODEV = 4
ATTR_NOEXEC = 8

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_CAPBSET_DROP = 24
PR_SET_SECUREBITS = 28
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_CLONE_PIDFD = 0x00001000
_SIGCHLD = 17

# Numbers of x86_64; the launcher refuses other machines before any of them is used.
_SYS_CLONE = 56
_SYS_CAPSET = 126
_SYS_PIVOT_ROOT = 155
_SYS_SECCOMP = 317
_SYS_SCHED_SETATTR = 314
_SYS_OPEN_TREE = 428
_SYS_MOVE_MOUNT = 429
_SYS_CLOSE_RANGE = 436
_SYS_OPENAT2 = 437
_SYS_MOUNT_SETATTR = 442
_SYS_LANDLOCK_CREATE_RULESET = 444
_SYS_LANDLOCK_ADD_RULE = 445
_SYS_LANDLOCK_RESTRICT_SELF = 446

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_OPEN_TREE_CLOEXEC = os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH = 4
_CAPABILITY_VERSION_3 = 0x20080522
_SECCOMP_SET_MODE_FILTER = 1
_CLOSE_RANGE_CLOEXEC = 4
_RESOLVE_NO_MAGICLINKS, _RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH = 2, 4, 8
_LANDLOCK_CREATE_RULESET_VERSION = 1
_LANDLOCK_RULE_PATH_BENEATH = 1


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _syscall(number: int, *args: object) -> int:
    words = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    return _checked(_libc.syscall(ctypes.c_long(number), *words))


def unshare(flags: int) -> None:
    """Put the calling process (its children, for CLONE_NEWPID) into new namespaces."""
    _checked(_libc.unshare(ctypes.c_int(flags)))


def clone(namespaces: int) -> tuple[int, int]:
    """Fork a child into new namespaces; return (process id, its pidfd) in the parent and (0, -1) in the child.

    As os.fork, for a process with one thread: the child of CLONE_NEWPID is its namespace's PID 1 at once.
    """
    pidfd = ctypes.c_int(-1)
    ctypes.pythonapi.PyOS_BeforeFork()
    flags = ctypes.c_long(namespaces | _CLONE_PIDFD | _SIGCHLD)
    pid = _locked_libc.syscall(ctypes.c_long(_SYS_CLONE), flags, None, ctypes.byref(pidfd), None, None)
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0, -1
    number = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, os.strerror(number))
    return pid, pidfd.value


def open_beneath(folder_fd: int, path: str, flags: int, mode: int = 0) -> int:
    """Open `path` inside a folder: no symbolic link on the way, nothing above the folder."""
    how = (ctypes.c_uint64 * 3)(
        flags | os.O_CLOEXEC | os.O_NOFOLLOW,
        mode,
        _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS,
    )
    try:
        return _syscall(_SYS_OPENAT2, folder_fd, os.fsencode(path), how, ctypes.sizeof(how))  # Linux 5.6
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
    return _walk_beneath(folder_fd, path, flags, mode)


def _walk_beneath(folder_fd: int, path: str, flags: int, mode: int) -> int:
    """Do the same step by step, for kernels without openat2, as that of gVisor."""
    *folders, name = path.split("/")
    at = os.dup(folder_fd)
    try:
        for folder in folders:
            inner = _open_one(at, folder, os.O_RDONLY | os.O_DIRECTORY, 0)
            os.close(at)
            at = inner
        return _open_one(at, name, flags, mode)
    finally:
        os.close(at)


def _open_one(folder_fd: int, name: str, flags: int, mode: int) -> int:
    if name in ("", ".."):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    return os.open(name, flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode, dir_fd=folder_fd)


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount a file system of type `kind` on `target`."""
    _checked(
        _libc.mount(os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), options.encode())
    )


def make_mounts_private() -> None:
    """Stop mounts from travelling between this mount namespace and others."""
    _checked(_libc.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None))


def unmount_old_root() -> None:
    """Detach what is mounted at the current directory: after `pivot_root`, the old root."""
    _checked(_libc.umount2(b".", ctypes.c_int(MNT_DETACH)))


def pivot_root() -> None:
    """Make the current directory, which is a mount, the root; the old root lies over it."""
    _syscall(_SYS_PIVOT_ROOT, b".", b".")


def open_tree(path: str) -> int:
    """Return a descriptor of a detached copy of the mounts at and below `path` (Linux 5.2)."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_RECURSIVE
    return _syscall(_SYS_OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags)


def open_tree_of(path_fd: int) -> int:
    """Return a descriptor of a detached copy of the mounts at and below an open path."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_RECURSIVE | _AT_EMPTY_PATH
    return _syscall(_SYS_OPEN_TREE, path_fd, b"", flags)


def attach_tree(tree_fd: int, target: str) -> None:
    """Mount the detached copy `tree_fd` on `target` and close the descriptor."""
    _syscall(_SYS_MOVE_MOUNT, tree_fd, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH)
    os.close(tree_fd)


def _attributes(attributes: int) -> ctypes.Array[ctypes.c_uint64]:
    return (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)


def restrict_tree(tree_fd: int, attributes: int) -> None:
    """Set ATTR_* on a detached copy and on all mounts below it (Linux 5.12)."""
    wanted = _attributes(attributes)
    flags = _AT_EMPTY_PATH | _AT_RECURSIVE
    _syscall(_SYS_MOUNT_SETATTR, tree_fd, b"", flags, wanted, ctypes.sizeof(wanted))


def restrict_mount(path: str, attributes: int) -> None:
    """Set ATTR_* on the one mount at `path` (Linux 5.12)."""
    wanted = _attributes(attributes)
    _syscall(_SYS_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(path), 0, wanted, ctypes.sizeof(wanted))


def set_hostname(name: str) -> None:
    """Set the host name of this UTS namespace."""
    _checked(_libc.sethostname(name.encode(), ctypes.c_size_t(len(name))))


def prctl(option: int, value: int = 0) -> None:
    """Set one property of this process."""
    _checked(_libc.prctl(option, ctypes.c_ulong(value), *(ctypes.c_ulong(0),) * 3))


def clear_capabilities() -> None:
    """Empty the effective, permitted and inheritable sets of the calling thread."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _syscall(_SYS_CAPSET, header, (ctypes.c_uint32 * 6)())


def default_signal(number: int) -> None:
    """Restore a signal's default action, which survives exec where Python's SIG_IGN would."""
    _libc.signal(number, None)


def close_on_exec_from(first_fd: int) -> None:
    """Mark every descriptor from `first_fd` on to be closed by exec (Linux 5.11)."""
    _syscall(_SYS_CLOSE_RANGE, first_fd, 0x7FFFFFFF, _CLOSE_RANGE_CLOEXEC)


def take_short_turns(turn_us: int) -> None:
    """Ask the scheduler for turns of `turn_us` where others wait (Linux 6.12); what this process starts inherits it."""
    attributes = struct.pack("=IIQiIQQQ", 48, 0, 0, 0, 0, turn_us * 1000, 0, 0)
    _syscall(_SYS_SCHED_SETATTR, 0, attributes, 0)


def load_seccomp(program: bytes) -> None:
    """Load a BPF program of 8-byte instructions for this process and all it starts, for good."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    loaded = Program(len(program) // 8, program)
    _syscall(_SYS_SECCOMP, _SECCOMP_SET_MODE_FILTER, 0, ctypes.byref(loaded))


def landlock_version() -> int:
    """Return the kernel's version of Landlock; 0 when it has none or it is switched off."""
    try:
        return _syscall(_SYS_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION)
    except OSError:
        return 0


def landlock_ruleset(handled_files: int, handled_network: int, scoped: int) -> int:
    """Return a descriptor of a set of rules that refuses what it handles and no rule allows."""
    attributes = (ctypes.c_uint64 * 3)(handled_files, handled_network, scoped)
    # Older kernels know a shorter structure: what is zero at its end may be left out.
    size = 24 if scoped else 16 if handled_network else 8
    return _syscall(_SYS_LANDLOCK_CREATE_RULESET, attributes, size, 0)


def landlock_allow(ruleset_fd: int, path: str, rights: int) -> None:
    """Allow `rights` at and below `path`."""
    path_fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = rights.to_bytes(8, "little") + path_fd.to_bytes(4, "little", signed=True)
        _syscall(_SYS_LANDLOCK_ADD_RULE, ruleset_fd, _LANDLOCK_RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(path_fd)


def landlock_restrict(ruleset_fd: int) -> None:
    """Hold this process and all it starts to the rules, for good, and close the descriptor."""
    _syscall(_SYS_LANDLOCK_RESTRICT_SELF, ruleset_fd, 0)
    os.close(ruleset_fd)
