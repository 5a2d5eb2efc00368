"""The system calls that are refused inside the sandbox, as a seccomp filter for bwrap (classic BPF).

One process a sandbox: threads may be started, processes may not, so that the limits of the process are those of the
whole. Refused too is what gets memory that no limit counts, what reaches other processes, and the parts of the kernel
that a program has no use for.
"""

import platform
import struct

# Numbers on x86_64 and aarch64, from the kernel's tables (syscall_64.tbl, asm-generic/unistd.h).
REFUSED = {
    "fork": (57, None),
    "vfork": (58, None),
    "unshare": (272, 97),
    "setns": (308, 268),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "inotify_init1": (294, 26),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "personality": (135, 92),
}
CLONE, CLONE3, SOCKET = (56, 220), (435, 435), (41, 198)
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h
CLONE_THREAD, AF_UNIX = 0x10000, 1
EPERM, EACCES, ENOSYS = 1, 13, 38
X32 = 0x40000000  # x86_64's second set of numbers
# Instructions (linux/bpf_common.h) and what a filter returns (linux/seccomp.h).
LOAD, EQUAL, AT_LEAST, ALL_SET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # places in struct seccomp_data


def program() -> bytes:
    """The filter for this machine. Raises ``KeyError`` on one whose numbers are not known here."""
    machine = platform.machine()
    which = list(AUDIT).index(machine) if machine in AUDIT else -1
    if which < 0:
        raise KeyError(machine)
    steps = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, AUDIT[machine]), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    if machine == "x86_64":
        steps += [(AT_LEAST, 0, 1, X32), (RETURN, 0, 0, ERRNO | ENOSYS)]
    for numbers in REFUSED.values():
        if numbers[which] is not None:
            steps += [(EQUAL, 0, 1, numbers[which]), (RETURN, 0, 0, ERRNO | EPERM)]
    # The C library falls back to clone, whose flags can be seen.
    steps += [(EQUAL, 0, 1, CLONE3[which]), (RETURN, 0, 0, ERRNO | ENOSYS)]
    steps += [
        (EQUAL, 0, 4, CLONE[which]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (ALL_SET, 1, 0, CLONE_THREAD),
        (RETURN, 0, 0, ERRNO | EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    steps += [
        (EQUAL, 0, 4, SOCKET[which]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (EQUAL, 1, 0, AF_UNIX),
        (RETURN, 0, 0, ERRNO | EACCES),
        (RETURN, 0, 0, ALLOW),
    ]
    steps += [(RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
