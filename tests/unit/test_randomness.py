"""Random bytes come a page at a time, and nobody gets the same ones."""

from __future__ import annotations

import os

from service.randomness import RandomBytes


def test_no_two_takes_are_alike_across_pages():
    source = RandomBytes()
    taken = [source.take(10) for _ in range(5_000)]
    assert {len(one) for one in taken} == {10}
    assert len(set(taken)) == len(taken)


def test_a_forked_child_takes_other_bytes_than_its_parent():
    source = RandomBytes()
    source.take(10)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, source.take(10))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 10) != source.take(10)
    os.close(read)
    os.close(write)
