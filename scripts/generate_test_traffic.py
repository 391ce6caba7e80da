#!/usr/bin/env python3
"""Sends test alerts to a running service; --help says which."""

from __future__ import annotations

import sys
from pathlib import Path

# Started by any Python, from any folder: what comes next, standard library only, has to find the project.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.lib.set_up import start_again

if __name__ == "__main__":
    try:
        from scripts.lib.traffic.command import main
    except ModuleNotFoundError:
        start_again("run")
        raise
    raise SystemExit(main(sys.argv[1:]))
