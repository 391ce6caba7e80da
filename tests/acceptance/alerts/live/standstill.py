"""Holds a process' main thread, as a debugger does, while its other threads go on: an event loop that hangs."""

from __future__ import annotations

import ctypes
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_WALL = 0x40000000
_TRIES = 200
_PAUSE_S = 0.05
_WAITING = {"x86_64": {"232", "281", "441"}, "aarch64": {"22", "441"}}
"""The numbers of epoll_wait, epoll_pwait and epoll_pwait2: Linux' `unistd.h` for each machine."""


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Entered and left by one thread: the kernel takes a tracer's orders from no other."""
    _hold(pid)
    try:
        yield
    finally:
        _ptrace(_DETACH, pid)


def _hold(pid: int) -> None:
    """Stop the main thread while it waits for events; elsewhere it may have the interpreter's lock, as others need."""
    for _ in range(_TRIES):
        _ptrace(_SEIZE, pid)
        _ptrace(_INTERRUPT, pid)
        os.waitpid(pid, _WALL)
        if _system_call(pid) in _WAITING[platform.machine()]:
            return
        _ptrace(_DETACH, pid)
        time.sleep(_PAUSE_S)
    raise AssertionError(f"{_TRIES} times the main thread of {pid} was stopped where it did not wait for events")


def _system_call(pid: int) -> str:
    """The number of the one that the stopped main thread is in; -1 where it is in none."""
    return Path(f"/proc/{pid}/task/{pid}/syscall").read_text("utf-8").split()[0]


def _ptrace(request: int, pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, pid, None, None) != 0:
        number = ctypes.get_errno()
        raise OSError(
            number, f"{os.strerror(number)}: process {pid} may not be traced (needs Linux and a child of ours)"
        )
