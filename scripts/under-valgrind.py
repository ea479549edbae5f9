#!/usr/bin/env python3
"""Runs a command under valgrind's rules for the kernel's page of clock functions.

rustix finds that page through prctl(PR_GET_AUXV), which valgrind 3.19 passes to the kernel: the answer is an address
that is not mapped for the program, which then ends with a segmentation fault. With this call refused, as kernels
before 6.4 do, rustix reads /proc/self/auxv, which valgrind answers itself, without that page.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38
PR_GET_AUXV = 0x41555856
# The number of prctl.
SYSTEM_CALLS = {"x86_64": 157, "aarch64": 167}
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EINVAL
# Where the number of a call and the low half of its first argument are in what a filter sees.
NUMBER, FIRST_ARGUMENT = 0, 16


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def refuse_auxv():
    instructions = [
        (LOAD, 0, 0, NUMBER),
        (JUMP_IF_EQUAL, 0, 3, SYSTEM_CALLS[platform.machine()]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_IF_EQUAL, 0, 1, PR_GET_AUXV),
        (RETURN, 0, 0, REFUSE),
        (RETURN, 0, 0, ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in instructions))
    program = Program(len(instructions), ctypes.cast(code, ctypes.c_void_p).value)
    libc = ctypes.CDLL(None, use_errno=True)
    for call in [
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
    ]:
        if libc.prctl(*call) != 0:
            sys.exit(f"prctl{call}: {os.strerror(ctypes.get_errno())}")


if len(sys.argv) < 2:
    sys.exit("Usage: under-valgrind.py COMMAND [ARGUMENT...]")
refuse_auxv()
os.execvp(sys.argv[1], sys.argv[1:])
