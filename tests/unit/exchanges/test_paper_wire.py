import asyncio
import itertools

import pytest
import uvloop

from service.exchanges.paper.wire import Wire


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    """Runs a coroutine on a loop of its own: uvloop's clock counts whole milliseconds."""

    def on_loop(coroutine):
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(coroutine)

    return on_loop


class Exchange:
    """Answers each request with its own name and keeps what came together, and when."""

    def __init__(self, latency: float) -> None:
        self.wire: Wire[str, str] = Wire(latency, self._work)
        self.groups: list[list[str]] = []
        self.arrived: dict[str, float] = {}
        self.worked = asyncio.Event()

    def _work(self, requests):
        self.groups.append(list(requests))
        self.arrived |= dict.fromkeys(requests, asyncio.get_running_loop().time())
        self.worked.set()
        return [f"answer to {request}" for request in requests]

    async def send(self, name: str) -> str:
        return await self.wire.send(name, "lost")


@pytest.mark.parametrize("latency", [0.0, 0.0005, 0.004])
def test_what_is_sent_in_one_turn_of_the_loop_arrives_together_in_its_order(run, latency):
    names = [str(number) for number in range(50)]

    async def main():
        exchange = Exchange(latency)
        # On asyncio's fine clock two requests of one turn are due at two times: those of the second may come later.
        answers = await asyncio.gather(*(exchange.send(name) for name in names))
        assert answers == [f"answer to {name}" for name in names]
        assert list(itertools.chain.from_iterable(exchange.groups)) == names
        assert len(exchange.groups) <= 3

    run(main())


def test_each_request_takes_its_own_time_there_and_back(run):
    async def main():
        exchange, loop = Exchange(0.04), asyncio.get_running_loop()
        sent, answered = {}, {}

        async def send(name, after):
            await asyncio.sleep(after)
            sent[name] = loop.time()
            await exchange.send(name)
            answered[name] = loop.time()

        await asyncio.gather(send("first", 0), send("second", 0.01), send("third", 0.03))
        assert exchange.groups == [["first"], ["second"], ["third"]]
        for name, sent_at in sent.items():
            assert exchange.arrived[name] - sent_at >= 0.019
            assert answered[name] - exchange.arrived[name] >= 0.019

    run(main())


def test_a_wire_that_closes_answers_what_was_done_and_loses_the_rest(run):
    async def main():
        exchange = Exchange(0.04)
        done = asyncio.create_task(exchange.send("done"))
        await asyncio.wait_for(exchange.worked.wait(), 5)
        lost = asyncio.create_task(exchange.send("lost"))
        await asyncio.sleep(0)
        exchange.wire.close()
        assert (await done, await lost) == ("answer to done", "lost")
        await asyncio.sleep(0.05)  # longer than a way: nothing may arrive any more
        assert exchange.groups == [["done"]]

    run(main())


def test_a_sender_that_gave_up_takes_no_answer_from_others(run):
    async def main():
        exchange = Exchange(0.004)
        impatient, patient = (asyncio.create_task(exchange.send(name)) for name in ("impatient", "patient"))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient == "answer to patient"
        assert list(itertools.chain.from_iterable(exchange.groups)) == ["impatient", "patient"]

    run(main())
