"""Many rows of one kind in few SQL statements, of few lengths.

The driver lets go of the interpreter's lock at every statement, and gets it back when another thread happens to wait:
a statement a row made threads take turns hundreds of times for a group of fifty orders.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

_MOST_ROWS = 64
"""In a statement, which has a power of two of them: so few lengths that the driver keeps every one prepared."""

_VALUES = re.compile(r"VALUES (\(\s*\?(?:,\s*\?)*\s*\))")

Row = Sequence[object]


def statements(sql: str, rows: Sequence[Row]) -> Sequence[tuple[str, Row]]:
    """`sql`, written for one row of VALUES, for as many rows as a statement takes, and their values."""
    if len(rows) == 1:
        return [(sql, rows[0])]
    found: list[tuple[str, Row]] = []
    begin = 0
    while left := len(rows) - begin:
        count = min(1 << (left.bit_length() - 1), _MOST_ROWS)
        found.append((_repeated(sql, count), tuple(chain.from_iterable(rows[begin : begin + count]))))
        begin += count
    return found


@lru_cache(maxsize=128)
def _repeated(sql: str, count: int) -> str:
    """With so many rows of placeholders where `sql` has one."""
    found = _VALUES.search(sql)
    assert found is not None, "written for one row of placeholders"
    row = found[1]
    return sql[: found.start(1)] + ", ".join([row] * count) + sql[found.end(1) :]
