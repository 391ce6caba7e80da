"""Who may leave when an exchange's request limit is short; time is the event loop's, which jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.exchanges.limiter import Limiter
from service.exchanges.protocol import Priority


class _Selector(selectors.SelectSelector):
    """Instead of waiting it moves the loop's time."""

    loop: JumpingLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout:
            self.loop.seconds += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop in which waiting takes no time; it is its own `Clock` too."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.seconds

    def now_ns(self) -> int:
        return self.monotonic_ns()

    def monotonic_ns(self) -> int:
        return round(self.seconds * 1e9)


class Lab:
    """A limiter in a jumping loop, and who left it when (seconds from the start)."""

    def __init__(self, loop: JumpingLoop, rate: float, burst: float) -> None:
        self.loop = loop
        self.limiter = Limiter(rate=rate, burst=burst, clock=loop)
        self.left: list[tuple[str, float]] = []
        self._start = loop.time()

    def ask(self, name: str, priority: Priority = Priority.ORDER, cost: float = 1.0) -> asyncio.Task[None]:
        async def take() -> None:
            await self.limiter.take(priority, cost)
            self.left.append((name, round(self.loop.time() - self._start, 3)))

        return self.loop.create_task(take())

    def names(self) -> list[str]:
        return [name for name, _ in self.left]


def run(scene: Coroutine[Any, Any, Any], loop: JumpingLoop) -> None:
    try:
        loop.run_until_complete(asyncio.wait_for(scene, 1e7))
    finally:
        loop.close()


@pytest.fixture
def loop():
    return JumpingLoop()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_burst_leaves_at_once_and_the_rest_at_the_rate(loop):
    lab = Lab(loop, rate=2, burst=3)

    async def scene():
        await asyncio.gather(*(lab.ask(str(n)) for n in range(5)))

    run(scene(), loop)
    assert lab.left == [("0", 0.0), ("1", 0.0), ("2", 0.0), ("3", 0.5), ("4", 1.0)]


def test_an_order_waits_behind_no_poll_that_waits(loop):
    lab = Lab(loop, rate=1, burst=1)

    async def scene():
        polls = [lab.ask(f"poll {n}", Priority.FOLLOW) for n in range(100)]
        await turns()
        await asyncio.gather(lab.ask("order"), lab.ask("cancel", Priority.CANCEL))
        await asyncio.gather(*polls)

    run(scene(), loop)
    assert lab.names()[:3] == ["poll 0", "cancel", "order"]


def test_an_order_finds_its_share_of_the_burst_after_polls_that_left(loop):
    lab = Lab(loop, rate=1, burst=8)

    async def scene():
        polls = [lab.ask(f"poll {n}", Priority.FOLLOW) for n in range(8)]
        await turns()
        await lab.ask("order")
        for poll in polls:
            poll.cancel()

    run(scene(), loop)
    assert ("order", 0.0) in lab.left
    assert lab.names().count("order") == 1
    assert len(lab.left) == 7


def test_the_same_priority_leaves_in_the_order_it_came(loop):
    lab = Lab(loop, rate=10, burst=1)

    async def scene():
        await asyncio.gather(*(lab.ask(str(n), Priority.LOOK_UP) for n in range(30)))

    run(scene(), loop)
    assert lab.names() == [str(n) for n in range(30)]


def test_cheap_requests_do_not_overtake_a_dear_one(loop):
    lab = Lab(loop, rate=1, burst=10)

    async def scene():
        await asyncio.gather(lab.ask("all", cost=10), lab.ask("dear", cost=5), lab.ask("cheap"))

    run(scene(), loop)
    assert lab.left == [("all", 0.0), ("dear", 5.0), ("cheap", 6.0)]


def test_a_cost_above_the_burst_is_owed(loop):
    lab = Lab(loop, rate=1, burst=2)

    async def scene():
        await asyncio.gather(lab.ask("huge", cost=10), lab.ask("next"))

    run(scene(), loop)
    assert lab.left == [("huge", 0.0), ("next", 9.0)]


def test_a_cost_learned_afterwards_is_owed(loop):
    lab = Lab(loop, rate=2, burst=1)

    async def scene():
        await lab.ask("first")
        lab.limiter.charge(4)
        await lab.ask("second")

    run(scene(), loop)
    assert lab.left == [("first", 0.0), ("second", 2.5)]


def test_time_that_passed_unused_does_not_pay_for_a_later_charge(loop):
    lab = Lab(loop, rate=1, burst=1)

    async def scene():
        await asyncio.sleep(100)
        lab.limiter.charge(3)
        await lab.ask("order")

    run(scene(), loop)
    assert lab.left == [("order", 103.0)]


def test_a_charge_while_others_wait_makes_them_wait_longer(loop):
    lab = Lab(loop, rate=1, burst=1)

    async def scene():
        both = [lab.ask("first"), lab.ask("second")]
        await turns()
        lab.limiter.charge(3)
        await asyncio.gather(*both)

    run(scene(), loop)
    assert lab.left == [("first", 0.0), ("second", 4.0)]


def test_nothing_leaves_during_a_pause_not_even_a_cancel(loop):
    lab = Lab(loop, rate=100, burst=100)

    async def scene():
        lab.limiter.pause(30)
        lab.limiter.pause(5)
        await asyncio.gather(lab.ask("poll", Priority.FOLLOW), lab.ask("cancel", Priority.CANCEL))

    run(scene(), loop)
    assert lab.left == [("cancel", 30.0), ("poll", 30.0)]


def test_a_pause_holds_those_who_wait_already(loop):
    lab = Lab(loop, rate=1, burst=1)

    async def scene():
        both = [lab.ask("first"), lab.ask("second")]
        await turns()
        lab.limiter.pause(60)
        await asyncio.gather(*both)

    run(scene(), loop)
    assert lab.left == [("first", 0.0), ("second", 60.0)]


def test_who_gives_up_frees_the_place(loop):
    lab = Lab(loop, rate=1, burst=10)

    async def scene():
        await lab.ask("all", cost=10)
        dear = lab.ask("dear", cost=10)
        cheap = lab.ask("cheap")
        await turns()
        dear.cancel()
        await cheap

    run(scene(), loop)
    assert lab.left == [("all", 0.0), ("cheap", 1.0)]


def test_who_gives_up_just_after_being_let_go_gives_the_units_back(loop):
    lab = Lab(loop, rate=1, burst=1)

    async def scene():
        await lab.ask("first")
        second, third = lab.ask("second"), lab.ask("third")
        await turns()
        # Runs in the same round of the loop as the limiter's timer, after it: the second was let go, unheard.
        loop.call_later(1.0, second.cancel)
        await third

    run(scene(), loop)
    assert lab.left == [("first", 0.0), ("third", 1.0)]


def test_a_cancelled_first_in_line_does_not_break_the_timer(loop):
    lab = Lab(loop, rate=1, burst=1)

    async def scene():
        await lab.ask("first")
        await turns()
        second: asyncio.Task[None] | None = None
        # Before the limiter's own timer in the same round: its future is cancelled, its task has not run yet.
        loop.call_later(1.0, lambda: second.cancel() if second else None)
        second, third = lab.ask("second"), lab.ask("third")
        await third

    run(scene(), loop)
    assert lab.names() == ["first", "third"]


def test_it_does_not_turn_while_it_waits(loop):
    lab = Lab(loop, rate=0.001, burst=1)
    rounds = 0

    def counting(timeout: float | None = None, select=loop._selector.select) -> list[Any]:
        nonlocal rounds
        rounds += 1
        return select(timeout)

    async def scene():
        await lab.ask("first")
        loop._selector.select = counting
        await lab.ask("second")

    run(scene(), loop)
    assert lab.left[-1] == ("second", 1000.0)
    assert rounds < 20


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0.5), (float("nan"), 1), (1, float("inf"))])
def test_numbers_that_make_no_limit_are_refused(rate, burst, loop):
    with pytest.raises(ValueError, match="a limiter needs"):
        Limiter(rate=rate, burst=burst, clock=loop)
    loop.close()


@pytest.mark.parametrize("wrong", [-1.0, float("nan")])
def test_a_negative_cost_or_pause_is_refused(wrong, loop):
    limiter = Limiter(rate=1, burst=1, clock=loop)
    with pytest.raises(ValueError, match="a cost is"):
        limiter.charge(wrong)
    with pytest.raises(ValueError, match="a pause is"):
        limiter.pause(wrong)
    loop.close()


_asked = st.tuples(
    st.floats(0, 20),  # when it asks
    st.sampled_from(Priority),
    st.floats(0.1, 6),  # its cost
    st.one_of(st.none(), st.floats(0, 10)),  # after how long it gives up
)


@given(st.lists(_asked, max_size=25), st.floats(0.5, 5), st.floats(1, 8))
def test_no_window_holds_more_than_the_burst_and_the_rate_allow_and_all_leave_in_the_end(asked, rate, burst):
    loop = JumpingLoop()
    limiter = Limiter(rate=rate, burst=burst, clock=loop)
    left: list[tuple[float, float]] = []

    async def one(at: float, priority: Priority, cost: float, patience: float | None) -> None:
        await asyncio.sleep(at)
        try:
            await asyncio.wait_for(limiter.take(priority, min(cost, burst)), patience)
        except TimeoutError:
            return
        left.append((loop.time(), min(cost, burst)))

    async def scene():
        await asyncio.gather(*(one(*each) for each in asked))

    run(scene(), loop)
    assert len(left) >= sum(patience is None for *_, patience in asked)
    for start, _ in left:
        for end, _ in left:
            spent = sum(cost for when, cost in left if start <= when <= end)
            assert end < start or spent <= burst + rate * (end - start) + 0.01
