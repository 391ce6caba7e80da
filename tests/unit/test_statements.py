import sqlite3

import pytest

from service.statements import statements

INSERT = "INSERT INTO numbers (a, b) VALUES (?, ?)\nON CONFLICT DO NOTHING"


@pytest.mark.parametrize("count", [0, 1, 2, 3, 63, 64, 65, 127, 128, 300])
def test_every_row_is_written_in_its_order_by_few_statements(count):
    rows = [(number, str(number)) for number in range(count)]
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE numbers (a, b)")
    found = statements(INSERT, rows)
    for sql, values in found:
        connection.execute(sql, values)
    assert connection.execute("SELECT a, b FROM numbers ORDER BY rowid").fetchall() == rows
    connection.close()
    assert len(found) <= count // 64 + 6


def test_statements_come_in_few_lengths_so_that_the_driver_keeps_them_prepared():
    texts = {sql for count in range(300) for sql, _ in statements(INSERT, [(0, 0)] * count)}
    assert len(texts) == 7
