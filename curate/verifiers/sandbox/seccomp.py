"""The seccomp filter (classic BPF) of system calls that are refused inside a sandbox, for bwrap.

A sandbox has one process: it may start threads but no process, so that the limits of the process hold for the whole
sandbox. Also refused are calls that get memory which no limit counts, that reach other processes, and that use parts of
the kernel for which a program has no need.
"""

import platform
import struct

from curate.verifiers.sandbox.entrance import REMOUNT

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
CLONE, CLONE3, SOCKET, MOUNT = (56, 220), (435, 435), (41, 198), (165, 40)
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h
CLONE_THREAD, AF_UNIX = 0x10000, 1
EPERM, EACCES, ENOSYS = 1, 13, 38
X32 = 0x40000000  # x86_64's second set of numbers
# Instructions (linux/bpf_common.h) and a filter's return values (linux/seccomp.h).
LOAD, EQUAL, AT_LEAST, ALL_SET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT, FOURTH_ARGUMENT = 0, 4, 16, 40  # offsets in struct seccomp_data


def program() -> bytes:
    """Return the filter for this machine. Raises ``KeyError`` for a machine that is not in ``AUDIT``."""
    machine = platform.machine()
    column = list(AUDIT).index(machine) if machine in AUDIT else -1
    if column < 0:
        raise KeyError(machine)
    steps = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, AUDIT[machine]), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    if machine == "x86_64":
        steps += [(AT_LEAST, 0, 1, X32), (RETURN, 0, 0, ERRNO | ENOSYS)]
    for numbers in REFUSED.values():
        number = numbers[column]
        if number is not None:
            steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | EPERM)]
    # ENOSYS makes the C library fall back to clone, whose flags a filter can see.
    steps += [(EQUAL, 0, 1, CLONE3[column]), (RETURN, 0, 0, ERRNO | ENOSYS)]
    steps += [
        (EQUAL, 0, 4, CLONE[column]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (ALL_SET, 1, 0, CLONE_THREAD),
        (RETURN, 0, 0, ERRNO | EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    steps += [
        (EQUAL, 0, 4, SOCKET[column]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (EQUAL, 1, 0, AF_UNIX),
        (RETURN, 0, 0, ERRNO | EACCES),
        (RETURN, 0, 0, ALLOW),
    ]
    # The one mount that the entrance makes, before it gives up its rights: from then on the kernel refuses it too.
    steps += [
        (EQUAL, 0, 4, MOUNT[column]),
        (LOAD, 0, 0, FOURTH_ARGUMENT),
        (EQUAL, 1, 0, REMOUNT),
        (RETURN, 0, 0, ERRNO | EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    steps += [(RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
