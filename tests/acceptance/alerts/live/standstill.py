"""Holds a process' main thread, as a debugger does, while its other threads go on: an event loop that hangs."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_WALL = 0x40000000
_TRIES = 5
_LOOK_AFTER_S = 3.0


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Entered and left by one thread: the kernel takes a tracer's orders from no other."""
    _hold(pid)
    try:
        yield
    finally:
        _ptrace(_DETACH, pid)


def _hold(pid: int) -> None:
    """Stop the main thread while it waits; one that is stopped with the interpreter's lock stops all the others."""
    for _ in range(_TRIES):
        _ptrace(_SEIZE, pid)
        _ptrace(_INTERRUPT, pid)
        os.waitpid(pid, _WALL)
        before = _worked_ns(pid)
        time.sleep(_LOOK_AFTER_S)
        if _worked_ns(pid) > before:
            return
        _ptrace(_DETACH, pid)
    raise AssertionError(f"{_TRIES} times the main thread of {pid} was stopped with the interpreter's lock")


def _worked_ns(pid: int) -> int:
    """How long all threads but the main one have been on a processor."""
    tasks = (task for task in Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid))
    return sum(int((task / "schedstat").read_text("utf-8").split()[0]) for task in tasks)


def _ptrace(request: int, pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, pid, None, None) != 0:
        number = ctypes.get_errno()
        raise OSError(
            number, f"{os.strerror(number)}: process {pid} may not be traced (needs Linux and a child of ours)"
        )
