"""Ids of traces and spans."""

from __future__ import annotations

import os

from telemetry import w3c


def test_a_forked_child_makes_other_ids() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, f"{w3c.new_trace_id():032x}".encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reading, 32).decode() != f"{w3c.new_trace_id():032x}"
    os.close(reading)
    os.close(writing)


def test_ids_are_of_full_length_and_do_not_repeat() -> None:
    contexts = {w3c.new_context() for _ in range(1000)}

    assert len({context.trace_id for context in contexts}) == 1000
    assert all(w3c.is_valid(context) for context in contexts)
