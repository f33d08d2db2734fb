"""What hostile programs try, as data: each expression must end in a refusal, whoever runs the service."""

from __future__ import annotations

import json
from pathlib import Path

from sandbox_rig import Sandbox

TRIES = """
import ctypes, errno, fcntl, json, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)

def c(name, *args):
    ctypes.set_errno(0)
    result = getattr(libc, name)(*args)
    if result < 0: raise OSError(ctypes.get_errno(), name)
    return result

def s(number, *args): return c('syscall', *(ctypes.c_long(a) if isinstance(a, int) else a for a in (number, *args)))

def attempt(text):
    try: return 'WORKED: %.200r' % (eval(text),)
    except socket.gaierror: return 'NO_NAME'
    except OSError as e: return errno.errorcode.get(e.errno, str(e))
    except (AttributeError, ValueError) as e: return type(e).__name__

print(json.dumps({text: attempt(text) for text in json.load(sys.stdin)}))
"""
REFUSALS = {"EPERM", "EACCES", "ENOENT", "ENOSYS", "EROFS", "ESRCH", "EINVAL", "ENXIO", "ENOTTY", "ENODEV", "ENOTDIR"}
HERE = str(Path(__file__).resolve())
_NEW = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)


def _opened(*paths: str, how: str = "os.O_RDONLY") -> list[str]:
    return [f"os.open({path!r}, {how})" for path in paths]


def _sockets() -> list[str]:
    families = ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG", "AF_TIPC", "AF_CAN", "AF_KEY")
    kinds = ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_SEQPACKET")
    return [f"socket.socket(socket.{family}, socket.{kind})" for family in families for kind in kinds] + [
        f"c('socketpair', {number}, 1, 0, (ctypes.c_int * 2)())" for number in (2, 10, 16, 38, 40)
    ]


ATTEMPTS: dict[str, list[str]] = {
    "files of the host": [
        *_opened("/etc/shadow", "/etc/hostname", "/root/.ssh", "/root/.bashrc", HERE, "/var/log", "/home", "/boot"),
        *_opened("/sys", "/run", "/srv", "/mnt", "/opt/nexus", "/proc/kcore", "/proc/sys", "/proc/mounts2"),
        *_opened("/dev/mem", "/dev/kmem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/kvm", "/dev/fuse", "/dev/net/tun"),
        *_opened("/dev/tty", "/dev/ptmx", "/dev/console", "/dev/pts", "/dev/mqueue", "/dev/vsock", "/dev/userfaultfd"),
        *_opened("/etc/../../etc/shadow", "/proc/self/root/etc/shadow", "/proc/self/cwd/../etc/shadow"),
        *_opened("/work/../../../../etc/shadow", "/proc/thread-self/root/../etc/shadow"),
    ],
    "the first process": [
        *_opened("/proc/1/mem", "/proc/1/environ", "/proc/1/fd", "/proc/1/fdinfo", "/proc/1/maps", "/proc/1/root/etc"),
        *_opened("/proc/1/ns/mnt", "/proc/1/ns/user", "/proc/1/cwd/x", "/proc/1/stack", "/proc/1/syscall"),
        *_opened("/proc/1/map_files", "/proc/1/task/1/fd", "/proc/1/cmdline", "/proc/1/status"),
        "s(101, 16, 1, 0, 0)",  # PTRACE_ATTACH
        "s(101, 0x4206, 1, 0, 0)",  # PTRACE_SEIZE
        "s(101, 0, 0, 0, 0)",  # PTRACE_TRACEME
        "s(310, 1, None, 0, None, 0, 0)",  # process_vm_readv
        "s(311, 1, None, 0, None, 0, 0)",  # process_vm_writev
        "s(312, 1, os.getpid(), 0, 0, 0)",  # kcmp
        "s(438, os.pidfd_open(os.getpid()), 0, 0)",  # pidfd_getfd, even of oneself
        "s(440, os.pidfd_open(os.getpid()), None, 0, 20, 0)",  # process_madvise
        "s(448, os.pidfd_open(os.getpid()), 0)",  # process_mrelease
        "s(302, 1, 7, None, None)",  # prlimit of another
        "os.kill(1, 9)",
        "os.kill(1, 19)",
        "os.kill(1, 2)",
        "__import__('signal').pidfd_send_signal(os.pidfd_open(1), 9)",
        "os.kill(os.getppid() or 10**6, 9)",
    ],
    "mounts": [
        "c('mount', b'x', b'/work', b'tmpfs', 0, None)",
        "c('mount', b'/', b'/work', None, 4096, None)",
        "c('mount', None, b'/', None, 1 << 18, None)",
        "c('mount', b'proc', b'/tmp', b'proc', 0, None)",
        "c('mount', None, b'/usr/lib', None, 32 | 4096, None)",  # remount writable
        *[f"c('umount2', b'{path}', {flag})" for path in ("/proc", "/work", "/", "/etc") for flag in (0, 1, 2, 8)],
        "c('pivot_root', b'/work', b'/work')",
        "s(155, b'.', b'.')",
        "os.chroot('/work')",
        "s(428, -100, b'/proc', 1)",  # open_tree with a clone
        "s(428, -100, b'/proc', 0)",
        "s(429, 3, b'', -100, b'/work', 4)",  # move_mount
        "s(430, b'proc', 0)",  # fsopen
        "s(431, 3, 6, None, None, 0)",  # fsconfig
        "s(432, 3, 0, 0)",  # fsmount
        "s(433, -100, b'/proc', 0)",  # fspick
        "s(442, -100, b'/', 0, (ctypes.c_uint64 * 4)(0, 1, 0, 0), 32)",  # mount_setattr
        "s(457, None, None, 0, 0)",  # statmount
        "s(458, None, None, 0, 0)",  # listmount
        "s(303, -100, b'/proc', (ctypes.c_int * 64)(128), (ctypes.c_int * 1)(), 0)",  # name_to_handle_at
        "s(304, -100, (ctypes.c_int * 64)(8), 0)",  # open_by_handle_at
        "s(165, b'x', b'/work', b'tmpfs', 0, None)",
    ],
    "namespaces": [
        *[f"s(272, {flag})" for flag in (*_NEW, 0x80)],  # unshare
        *[f"s(56, {flag | 17}, None, None, None, None)" for flag in _NEW],  # clone
        "s(435, (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17), 88)",  # clone3
        *[
            f"s(308, os.open('/proc/self/ns/{name}', os.O_RDONLY), 0)"
            for name in ("mnt", "user", "pid", "net", "ipc", "uts", "cgroup", "time")
        ],
        "s(308, os.pidfd_open(1), 0x00020000)",  # setns by a pidfd
        "fcntl.ioctl(os.open('/proc/self/ns/user', os.O_RDONLY), 0xb702)",  # NS_GET_PARENT
        "fcntl.ioctl(os.open('/proc/self/ns/mnt', os.O_RDONLY), 0xb701)",  # NS_GET_USERNS
    ],
    "privileges": [
        *[f"os.{name}({args})" for name, args in (("setuid", 0), ("setgid", 0), ("seteuid", 0), ("setegid", 0))],
        "os.setresuid(0, 0, 0)",
        "os.setresgid(0, 0, 0)",
        "os.setgroups([0])",
        "os.initgroups('sandbox', 0)",
        "os.chown('/work', 0, 0)",
        "s(122, 0)",  # setfsuid
        "s(126, (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xffffffff] * 6))",  # capset
        "c('prctl', 47, 2, 21, 0, 0)",  # PR_CAP_AMBIENT_RAISE
        "c('prctl', 28, 0, 0, 0, 0)",  # PR_SET_SECUREBITS
        "c('prctl', 8, 1, 0, 0, 0)",  # PR_SET_KEEPCAPS
        "c('prctl', 22, 0, 0, 0, 0)",  # PR_SET_SECCOMP
        "c('prctl', 35, 1, 0, 0, 0)",  # PR_SET_MM
        "c('prctl', 36, 1, 0, 0, 0)",  # PR_SET_CHILD_SUBREAPER
        "c('prctl', 38, 0, 0, 0, 0)",  # PR_SET_NO_NEW_PRIVS off again
        "c('prctl', 59, 1, 0, 0, 0)",  # PR_SET_SYSCALL_USER_DISPATCH
        "c('prctl', 62, 1, 0, 0, 0)",  # PR_SCHED_CORE
        "s(135, 0x0040000)",  # personality: no address randomisation
        "s(317, 0, 1, None)",  # seccomp
        "os.nice(-5)",
        "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
        "s(251, 1, 0, 1 << 13)",  # ioprio_set: real time
        "__import__('resource').setrlimit(7, (4096, 4096))",
        "__import__('resource').setrlimit(6, (9999, 9999))",
    ],
    "dangerous corners of the kernel": [
        "s(425, 8, (ctypes.c_int * 30)())",  # io_uring_setup
        "s(426, 0, 0, 0, 0, None, 0)",
        "s(427, 0, 0, None, 0)",
        "s(321, 0, None, 0)",  # bpf
        "s(321, 5, (ctypes.c_int * 30)(), 120)",
        "s(298, (ctypes.c_int * 30)(), 0, -1, -1, 0)",  # perf_event_open
        "s(323, 1)",  # userfaultfd, of user faults alone
        "s(248, b'user', b'n', b'x', 1, -3)",  # add_key
        "s(249, b'user', b'n', None, -3)",  # request_key
        "s(250, 0, -3, 1)",  # keyctl
        "s(250, 1, None)",
        "s(175, None, 0, b'')",  # init_module
        "s(313, 0, b'', 0)",  # finit_module
        "s(176, b'x', 0)",
        "s(246, 0, 0, None, 0)",  # kexec_load
        "s(320, 0, 0, 0, None, 0)",
        "s(169, 0xfee1dead, 672274793, 0, None)",  # reboot, with Ctrl-Alt-Del off
        "s(103, 2, ctypes.create_string_buffer(64), 64)",  # syslog
        "s(172, 3)",  # iopl
        "s(173, 0x80, 1, 1)",  # ioperm
        "s(154, 0, None, 0)",  # modify_ldt
        "s(163, b'/work/acct')",
        "s(167, b'/work/swap', 0)",
        "s(168, b'/work/swap')",
        "s(179, 0, b'x', 0, None)",  # quotactl
        "s(300, 0, 0)",  # fanotify_init
        "s(253)",  # inotify_init
        "s(212, 0, None, 0)",  # lookup_dcookie
        "s(180)",
        "s(153)",  # vhangup
        "s(447, 0)",  # memfd_secret
        "s(256, os.getpid(), 8, None, None)",  # migrate_pages
        "s(237, None, 0, 0, None, 0, 0)",  # mbind
        "s(278, 0, 0, 0, 0)",  # vmsplice
        "s(275, 0, None, 1, None, 1, 0)",  # splice
        "s(276, 0, 1, 1, 0)",  # tee
        "s(206, 8, (ctypes.c_long * 1)())",  # io_setup
        "s(170, b'x', 1)",  # sethostname
        "s(171, b'x', 1)",
        "s(999, 0)",
    ],
    "what processes share": [
        "s(29, 0, 4096, 0o1666)",  # shmget
        "s(29, 1234, 4096, 0o1666)",
        "s(64, 1234, 1, 0o1666)",  # semget
        "s(68, 1234, 0o1666)",  # msgget
        "s(240, b'q', 0o102, 0o666, None)",  # mq_open
        "s(241, b'q')",
    ],
    "networks": _sockets(),
    "names and addresses": [
        "socket.getaddrinfo('example.com', 80)",
        "socket.getaddrinfo('metadata.google.internal', 80)",
        "socket.create_connection(('169.254.169.254', 80), 1)",
        "socket.create_connection(('127.0.0.1', 22), 1)",
        "socket.create_connection(('127.0.0.1', 3128), 1)",
        "socket.create_connection(('::1', 3128), 1)",
        "socket.create_connection(('8.8.8.8', 53), 1)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 53))",
    ],
    "clocks": [
        "s(164, (ctypes.c_long * 2)(0, 0), None)",  # settimeofday
        "s(227, 0, (ctypes.c_long * 2)(0, 0))",  # clock_settime
        "s(305, 0, (ctypes.c_long * 26)())",  # clock_adjtime
        "s(159, (ctypes.c_long * 26)(0x8000))",  # adjtimex
        "__import__('time').clock_settime(0, 0)",
    ],
    "terminals": [
        *[f"fcntl.ioctl({fd}, 0x5412, b'x')" for fd in (0, 1, 2, 3)],  # TIOCSTI
        "fcntl.ioctl(0, 0x541c, b'\\x03')",  # TIOCLINUX
        "fcntl.ioctl(0, 0x540e, 1)",  # TIOCSCTTY
        "fcntl.ioctl(1, 0x5410, b'0000')",  # TIOCSPGRP
        "os.openpty()",
    ],
    "sysctls, opened and never written": [
        *_opened("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches", how="os.O_WRONLY"),
        *_opened("/sys/kernel/uevent_helper", "/sys/fs/cgroup/cgroup.procs", "/sys/power/state", how="os.O_WRONLY"),
        *_opened("/proc/self/oom_score_adj", "/proc/self/uid_map", "/proc/self/setgroups", how="os.O_WRONLY"),
        *_opened("/proc/self/attr/current", "/proc/self/loginuid", "/proc/self/coredump_filter", how="os.O_WRONLY"),
        *_opened("/proc/self/timerslack_ns", "/proc/self/projid_map", "/proc/1/oom_score_adj", how="os.O_WRONLY"),
    ],
    "writing outside the workspace": [
        *_opened(
            "/x", "/etc/x", "/program/x", "/usr/lib/x", "/dev/x", "/proc/x", "/image/x", how="os.O_WRONLY | os.O_CREAT"
        ),
        *_opened("/etc/passwd", "/program/main.py", json.__file__, how="os.O_WRONLY"),
        *_opened("/etc/passwd", json.__file__, how="os.O_WRONLY | os.O_TRUNC"),
        "(os.chmod('/program', 0o700), os.open('/program/x', os.O_WRONLY | os.O_CREAT))",  # Landlock, not the mode
        "os.mkdir('/x')",
        "os.symlink('/etc', '/dev/x')",
        "os.rename('/etc/passwd', '/work/passwd')",
        "os.link('/etc/passwd', '/work/passwd')",
        "os.link('/program/main.py', '/work/main.py')",
        "os.unlink('/etc/passwd')",
        "os.rmdir('/work')",
        "os.rename('/work', '/tmp/work')",
        "os.utime('/etc/passwd')",
        "os.truncate('/etc/passwd', 0)",
        "os.mknod('/work/null', 0o020666, 0x103)",
        "os.mknod('/work/disk', 0o060666, 0xfe00)",
        "os.mknod('/work/char', 0o020666, 0)",
        "os.setxattr('/work', 'security.capability', b'x')",
        "os.setxattr('/work', 'user.x', b'x')",
    ],
    "files that would give more than they have": [
        "os.execv('/usr/bin/sudo', ['sudo'])",
        "os.execv('/bin/su', ['su'])",
        *[
            f"(__import__('shutil').copy('/bin/sh', {to!r}), os.chmod({to!r}, 0o6755), os.execv({to!r}, ['sh']))"
            for to in ("/work/sh", "/tmp/sh", "/dev/shm/sh")
        ],
    ],
}
"""By topic. `c` calls a function of the C library, `s` a system call by its number."""

_WORKS = "os.getpid()"
"""What must work, or the program would say nothing about the rest."""
_DROPPED = {text for text in ATTEMPTS["the first process"] if "kill(1" in text or "pidfd_open(1), 9" in text}
"""What the kernel drops where Landlock is too old to refuse it; that PID 1 lives on is what counts."""
OTHER_REFUSALS = {"NO_NAME", "AttributeError", "ValueError", "EAFNOSUPPORT", "ENETUNREACH", "EBUSY", "EXDEV", "ENOTSUP"}


async def attempted(sandbox: Sandbox, topic: str) -> dict[str, str]:
    """Return what a program could do of a topic: nothing, when all is well."""
    tried: dict[str, str] = json.loads(await sandbox.says(TRIES, json.dumps([_WORKS, *ATTEMPTS[topic]]).encode()))
    assert tried.pop(_WORKS).startswith("WORKED")
    assert len(tried) == len(set(ATTEMPTS[topic]))
    refused = REFUSALS | OTHER_REFUSALS
    return {text: said for text, said in tried.items() if said not in refused and text not in _DROPPED}
