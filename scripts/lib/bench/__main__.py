"""`scripts/bench`: runs the sections that are asked for, prints tables, writes JSON."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console

from scripts.lib.bench import machine
from scripts.lib.bench.options import Asked, parse
from scripts.lib.bench.processes import BenchError
from scripts.lib.bench.results import Result, document, show

_INTERRUPTED = 130
_FAILED = 2


def main(arguments: Sequence[str]) -> int:
    """0: all was measured, whatever the bars say; 2: something could not be; 130: Ctrl-C."""
    asked = parse(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background processes ignore it
        signal.signal(number, signal.default_int_handler)
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="fillpath-bench-") as folder:
        limits = machine.look(Path(folder))
        try:
            status = _run(asked, Path(folder), results)
        except KeyboardInterrupt:
            print("interrupted; all processes have ended", file=sys.stderr)
            status = _INTERRUPTED
    show(Console(), results, limits)
    if asked.json:
        asked.json.write_text(json.dumps(document(results, limits), indent=2) + "\n", "utf-8")
    return status


def _run(asked: Asked, folder: Path, results: list[Result]) -> int:
    """A section that fails leaves the others to be measured."""
    status = 0
    for name in asked.sections:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        result = Result(name)
        results.append(result)
        try:
            _section(name, asked, folder / name)(result)
        except BenchError as error:
            print(f"{name} ended early: {error}", file=sys.stderr)
            status = _FAILED
        else:
            result.complete = True
    return status


def _section(name: str, asked: Asked, folder: Path) -> Any:
    """Imported when it is asked for: each needs half a second of libraries that the others do without."""
    module = import_module(f"scripts.lib.bench.{name.replace('-', '_')}")
    return partial(module.run, asked) if name == "unit" else partial(module.run, asked, folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
