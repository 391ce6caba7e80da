"""What bounds the figures on this machine: cores, what others took of them, the disk, the Python; from /proc."""

from __future__ import annotations

import importlib.util
import os
import platform
import resource
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from scripts.lib.bench.figures import percentile

STEAL_LIMIT = 0.05
"""Share of all cores' time that the host may have given to others while a figure was measured."""

OTHERS_LIMIT = 0.1
"""Share of all cores' time that processes other than ours may have taken."""

_KINDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_AT_WORK = ("user", "nice", "system", "irq", "softirq")
_FLUSHES = 50
_BLOCK = b"\0" * 4096


def cores() -> tuple[int, ...]:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


class Cores(NamedTuple):
    """Who gets which; where there is one only, both have it."""

    service: tuple[int, ...]
    others: tuple[int, ...]


def look_at_cores() -> Cores:
    """The first one is the service's."""
    usable = cores()
    return Cores(usable[:1], usable[1:] or usable)


def pin(pid: int, to: Sequence[int]) -> bool:
    """Keep a process, and all that it starts from now on, on these cores (0: this one); whether the system can."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    with suppress(ProcessLookupError):
        os.sched_setaffinity(pid, to)
    return True


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process so far; 0 where it has ended or cannot be asked."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    """Resident memory of a process, MiB; NaN where it cannot be asked."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    except OSError:
        return float("nan")
    return float(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


def open_files(pid: int) -> int:
    """File handles of a process; 0 where it cannot be asked."""
    with suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - only their number is wanted
    return 0


@dataclass(slots=True)
class Load:
    """What was taken of the machine over a while, as shares of all cores' time; NaN where the system does not tell."""

    steal: float = float("nan")
    others: float = float("nan")

    @property
    def disturbed(self) -> bool:
        """Whether what was measured meanwhile says little."""
        return self.steal > STEAL_LIMIT or self.others > OTHERS_LIMIT

    def figures(self) -> dict[str, float]:
        """In percent."""
        return {"steal_percent": self.steal * 100, "others_percent": self.others * 100}

    def __str__(self) -> str:
        mark = " *" if self.disturbed else ""
        return f"of the cores' time the host took {self.steal:.1%}, other processes {self.others:.1%}{mark}"


@contextmanager
def watched(pids: Collection[int]) -> Iterator[Load]:
    """Filled at the end of the block; the processes of `pids` live at least as long as it, and are ours.

    So is this process, and so is every child of it that ended and was waited for within the block.
    """
    load = Load()
    before, ours_before = _ticks(), _ours(pids)
    yield load
    if before is None or (after := _ticks()) is None:
        return
    spent = {kind: after[kind] - before[kind] for kind in _KINDS}
    total = max(1, sum(spent.values()))
    ours = (_ours(pids) - ours_before) * os.sysconf("SC_CLK_TCK")
    load.steal = spent["steal"] / total
    load.others = max(0.0, sum(spent[kind] for kind in _AT_WORK) - ours) / total


def _ticks() -> dict[str, int] | None:
    """Clock ticks of all cores by kind, proc(5)."""
    try:
        first = Path("/proc/stat").read_text("ascii").partition("\n")[0]
    except OSError:
        return None
    return dict(zip(_KINDS, (int(ticks) for ticks in first.split()[1:9]), strict=True))


def _ours(pids: Collection[int]) -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime + sum(cpu_seconds(pid) for pid in pids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The limits in force; times in milliseconds. `service_cores` and `other_cores` are numbers of cores."""

    cores: int
    service_cores: tuple[int, ...]
    other_cores: tuple[int, ...]
    pinned: bool
    system: str
    python: str
    uvloop: bool
    load_average: float
    fsync_p50_ms: float
    fsync_p95_ms: float
    folder: str

    def lines(self) -> Iterator[str]:
        """For people."""
        others = ", ".join(map(str, self.other_cores))
        where = f"service on core {self.service_cores[0]}, load and receiver on {others}"
        if not self.pinned:
            where = "no process is pinned: this system cannot"
        elif self.service_cores == self.other_cores:
            where = "one core for all: load and receiver take from the service"
        yield f"{self.cores} cores ({self.system}); {where}"
        yield f"Python {self.python}, {'uvloop' if self.uvloop else 'asyncio without uvloop'}"
        yield f"load average at the start {self.load_average:.1f}"
        yield f"fsync of 4 KiB in {self.folder}: P50 {self.fsync_p50_ms:.2f} ms, P95 {self.fsync_p95_ms:.2f} ms"

    def figures(self) -> dict[str, Any]:
        return asdict(self)


def look(folder: Path) -> Machine:
    """Measures the disk under `folder` too, in a fraction of a second."""
    given, flushes = look_at_cores(), _flushes(folder)
    return Machine(
        cores=len(cores()),
        service_cores=given.service,
        other_cores=given.others,
        pinned=hasattr(os, "sched_setaffinity"),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        uvloop=importlib.util.find_spec("uvloop") is not None,
        load_average=os.getloadavg()[0],
        fsync_p50_ms=percentile(flushes, 0.5),
        fsync_p95_ms=percentile(flushes, 0.95),
        folder=str(folder),
    )


def _flushes(folder: Path) -> list[float]:
    taken = []
    with TemporaryDirectory(dir=folder) as inside, (Path(inside) / "flushed").open("wb", buffering=0) as file:
        for _ in range(_FLUSHES):
            file.write(_BLOCK)
            begun = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1000)
    return taken
