"""Within a time: results, errors, time-outs and cancellations are those of `asyncio.timeout`."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from service.bounded import SameTime, within


async def _same_time(seconds, work):
    return await SameTime(seconds).within(work)


async def test_what_is_there_at_once_needs_no_timer(monkeypatch):
    async def there():
        return 5

    def no_timer(_):
        raise AssertionError("a timer was made")

    monkeypatch.setattr(asyncio, "timeout", no_timer)
    assert await within(1.0, there()) == 5


async def test_what_raises_at_once_raises():
    async def broken():
        raise KeyError("a")

    with pytest.raises(KeyError):
        await within(1.0, broken())


async def test_what_waits_again_and_again_returns_in_the_end():
    async def slow():
        for _ in range(3):
            await asyncio.sleep(0.001)
        return "done"

    assert await within(5.0, slow()) == "done"
    assert await within(None, slow()) == "done"


@pytest.mark.parametrize("bounded", [within, _same_time])
async def test_what_takes_too_long_is_cancelled_and_times_out(bounded):
    ended = []

    async def stuck():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(asyncio.current_task().cancelling())

    with pytest.raises(TimeoutError):
        await bounded(0.01, stuck())
    assert ended == [1]
    assert asyncio.current_task().cancelling() == 0


async def test_it_times_out_at_the_second_wait_too():
    async def stuck():
        await asyncio.sleep(0)
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await within(0.01, stuck())


@pytest.mark.parametrize("bounded", [within, _same_time])
async def test_what_bears_its_cancellation_may_go_on_waiting_and_return(bounded):
    async def stubborn():
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.sleep(0.001)
        return "late"

    assert await bounded(0.01, stubborn()) == "late"
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.parametrize("bounded", [within, _same_time])
async def test_a_cancellation_from_outside_passes_through(bounded):
    begun = asyncio.Event()

    async def stuck():
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(bounded(60, stuck()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("bounded", [within, _same_time])
async def test_an_error_after_a_wait_is_the_callers(bounded):
    async def broken():
        await asyncio.sleep(0)
        raise KeyError("b")

    with pytest.raises(KeyError):
        await bounded(1.0, broken())


async def test_of_many_under_way_each_has_its_own_end():
    bounded, began = SameTime(0.2), asyncio.get_running_loop().time()

    async def after(pause, work):
        await asyncio.sleep(pause)
        try:
            return await bounded.within(work)
        except TimeoutError:
            return asyncio.get_running_loop().time() - began

    stuck, returns = asyncio.Event(), asyncio.sleep(0.01, "done")
    found = await asyncio.gather(after(0, stuck.wait()), after(0.02, returns), after(0.1, stuck.wait()))

    assert found[1] == "done"
    assert 0.2 <= found[0] < 0.3 <= found[2]


async def test_a_cancellation_from_outside_that_comes_with_the_end_of_its_time_passes_through():
    async def stuck():
        try:
            await asyncio.Event().wait()
        finally:
            task.cancel()

    async def bounded():
        await SameTime(0.01).within(stuck())

    task = asyncio.create_task(bounded())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_done_leaves_nothing_under_way():
    bounded = SameTime(0.01)

    await bounded.within(asyncio.sleep(0))
    await asyncio.sleep(0.03)

    with pytest.raises(TimeoutError):
        await bounded.within(asyncio.Event().wait())
