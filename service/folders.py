"""Folders that are still there after a power cut, and so is what is made in them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Rights 0700 where it is missing; one that exists stays as it is. Raises OSError.

    A folder's name is on the disk only once the folder above it was flushed (fsync(2)): without that, a power cut
    takes away all that was ever flushed below.
    """
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    # It may have been made a moment ago by a start that did not come to flush it. One that was made for us may lie
    # where we cannot read.
    with suppress(OSError):
        flush_folder(folder.absolute().parent)
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        flush_folder(each.parent)


def flush_folder(folder: Path) -> None:
    """Return when the names in it are on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
