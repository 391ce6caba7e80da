#!/usr/bin/env python3
"""Says what of a running Fillpath and its servers works, and what to do about the rest; --help says more."""

from __future__ import annotations

import sys
from pathlib import Path

# Started by any Python, from any folder: what comes next, standard library only, has to find the project.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.lib.set_up import start_again

if __name__ == "__main__":
    try:
        from scripts.lib.validate.command import main
    except ModuleNotFoundError:
        start_again("test")
        raise
    raise SystemExit(main(sys.argv[1:]))
