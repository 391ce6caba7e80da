"""`fillpath` and `python -m service`: the command line."""

from __future__ import annotations

import sys

from service.cli.commands import run


def main() -> int:
    """Run one command; the exit status: 0 done, 1 refused or failed, 2 wrong usage."""
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
