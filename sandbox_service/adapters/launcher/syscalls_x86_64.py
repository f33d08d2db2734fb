"""Which system calls a program may make on x86_64.

An allow-list: what ordinary Python with threads, subprocesses, multiprocessing, sqlite3 and asyncio needs, and nothing
that reaches other processes' memory, mounts, namespaces, kernel objects with a history of defects, or the network.
Whatever is named nowhere gets ENOSYS, as on an older kernel, so that libraries fall back to what they used before.
Numbers: arch/x86/entry/syscalls/syscall_64.tbl of Linux.
"""

from __future__ import annotations

import errno

AUDIT_ARCH = 0xC000003E
X32_BIT = 0x40000000

_FILES = (
    *range(9),  # read write open close stat fstat lstat poll lseek
    *range(17, 25),  # pread64 pwrite64 readv writev access pipe select sched_yield
    *(32, 33, 40),  # dup dup2 sendfile
    *range(72, 96),  # fcntl flock fsync ... truncate ... rename mkdir ... link symlink chmod chown umask
    *(132, 137, 138, 187),  # utime statfs fstatfs readahead
    *(191, 192, 193, 194, 195, 196),  # getxattr listxattr and their kin
    *(213, 217, 221, 232, 233, 235),  # epoll_create getdents64 fadvise64 epoll_wait epoll_ctl utimes
    *(257, 258, *range(260, 272)),  # openat mkdirat fchownat ... faccessat pselect6 ppoll
    *(
        280,
        281,
        285,
        291,
        292,
        293,
        295,
        296,
    ),  # utimensat epoll_pwait fallocate epoll_create1 dup3 pipe2 p{read,write}v
    *(316, 326, 327, 328, 332),  # renameat2 copy_file_range preadv2 pwritev2 statx
    *(436, 437, 439, 441, 452),  # close_range openat2 faccessat2 epoll_pwait2 fchmodat2
)
_MEMORY = (9, 10, 11, 12, 25, 26, 27, 28)  # mmap mprotect munmap brk mremap msync mincore madvise
_SIGNALS = (
    *(13, 14, 15, 34, 62, 127, 128, 129, 130, 131),  # rt_sig* pause kill sigaltstack
    *(200, 234, 282, 289, 297, 424),  # tkill tgkill signalfd signalfd4 rt_tgsigqueueinfo pidfd_send_signal
)
_TIME = (
    *(35, 36, 37, 38, 96, 100, 201),  # nanosleep getitimer alarm setitimer gettimeofday times time
    *range(222, 227),  # timer_*
    *(228, 229, 230, 283, 286, 287),  # clock_get* clock_nanosleep timerfd_*
)
_PROCESSES = (
    *(39, 57, 58, 59, 60, 61, 63, 97, 98, 99),  # getpid fork vfork execve exit wait4 uname getrlimit getrusage sysinfo
    *(102, 104, 107, 108, 109, 110, 111, 112, 115, 118, 120, 121, 124, 125),  # get*id setpgid setsid getgroups capget
    *(140, 141, 143, 145, 146, 147, 148, 158, 160),  # priorities, sched_get*, arch_prctl setrlimit
    *(186, 202, 203, 204, 218, 219, 231, 247),  # gettid futex sched_*affinity set_tid_address exit_group waitid
    *(273, 274, 309, 315, 318, 322, 324, 334),  # robust_list getcpu sched_getattr getrandom execveat membarrier rseq
    *(434, 449, 454, 455, 456),  # pidfd_open futex_waitv futex_wake futex_wait futex_requeue
    *(284, 290),  # eventfd eventfd2
)
# Sockets exist for few families only (see CONDITIONAL and SOCKETS), so these reach nothing outside the run.
_SOCKETS = (*range(42, 53), 54, 55, 288, 299, 307)

_LANDLOCK = (444, 445, 446)  # which can only take rights away

ALLOWED = frozenset((*_FILES, *_MEMORY, *_SIGNALS, *_TIME, *_PROCESSES, *_SOCKETS, *_LANDLOCK))
"""Allowed whatever the arguments."""

MEMFD_CREATE = 319
"""Allowed only where a cgroup counts its memory: no rlimit does."""

_NAMESPACE_FLAGS = 0x7E020000
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_S_IFMT, _S_IFIFO = 0o170000, 0o010000
_TERMINAL_QUESTIONS = (0x5401, 0x5413, 0x540F)  # TCGETS TIOCGWINSZ TIOCGPGRP
_DESCRIPTOR_FLAGS = (0x541B, 0x5421, 0x5450, 0x5451)  # FIONREAD FIONBIO FIONCLEX FIOCLEX
# SET/GET_PDEATHSIG GET/SET_DUMPABLE SET/GET_NAME GET_SECCOMP CAPBSET_READ SET/GET_TIMERSLACK SET/GET_NO_NEW_PRIVS
_PRCTL = (1, 2, 3, 4, 15, 16, 21, 23, 29, 30, 38, 39)

MMAP = (9, 3, 0x2F, (0x01, 0x02, 0x03, 0x22), errno.EPERM)
"""The rule of mmap where no cgroup counts: no shared memory without a file, which lives on unmapped and unseen."""

CONDITIONAL: tuple[tuple[int, int, int, tuple[int, ...], int], ...] = (
    (16, 1, 0xFFFFFFFF, (*_TERMINAL_QUESTIONS, *_DESCRIPTOR_FLAGS), errno.ENOTTY),  # ioctl
    (53, 0, 0xFFFFFFFF, (_AF_UNIX,), errno.EACCES),  # socketpair
    (56, 0, _NAMESPACE_FLAGS, (0,), errno.EPERM),  # clone
    (133, 1, _S_IFMT, (_S_IFIFO,), errno.EPERM),  # mknod
    (135, 0, 0xFFFFFFFF, (0xFFFFFFFF,), errno.EPERM),  # personality: asking is allowed
    (157, 0, 0xFFFFFFFF, _PRCTL, errno.EPERM),  # prctl
    (259, 2, _S_IFMT, (_S_IFIFO,), errno.EPERM),  # mknodat
    (302, 0, 0xFFFFFFFF, (0,), errno.EPERM),  # prlimit64 of oneself
)
"""(number, argument, mask, values, errno): allowed when `argument & mask` is one of `values`, else refused."""

SOCKETS = {
    False: (41, 0, 0xFFFFFFFF, (_AF_UNIX,), errno.EACCES),
    True: (41, 0, 0xFFFFFFFF, (_AF_UNIX, _AF_INET, _AF_INET6), errno.EACCES),
}
"""The rule of socket(2), without and with a way out of the sandbox's network, which is its own loopback alone."""

REFUSED = frozenset(
    (
        *(101, 310, 311, 312, 438, 440, 448),  # ptrace process_vm_* kcmp pidfd_getfd process_madvise process_mrelease
        *(155, 161, 165, 166, 167, 168, 179, 272, 308),  # pivot_root chroot mount umount2 swap* quotactl unshare setns
        *range(428, 434),  # open_tree move_mount fsopen fsconfig fsmount fspick
        *(442, 443, 457, 458),  # mount_setattr quotactl_fd statmount listmount
        *(105, 106, 113, 114, 116, 117, 119, 122, 123, 126),  # set*id setgroups capset
        *(248, 249, 250, 298, 317, 321, 323, 425, 426, 427),  # keys perf_event_open seccomp bpf userfaultfd io_uring
        *(103, 153, 154, 159, 162, 163, 164, 169, 170, 171, 172, 173),  # syslog ... sync ... reboot set*name iopl
        *(174, 175, 176, 227, 246, 305, 306, 313, 320),  # modules clock_settime kexec clock_adjtime syncfs
        *(188, 189, 190, 197, 198, 199, 300, 301, 303, 304),  # setxattr removexattr fanotify file handles
    )
)
"""Known and refused with EPERM, so that a program's error says what happened."""
