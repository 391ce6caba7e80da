"""An exchange simulator: real HTTP on loopback, real signatures and error codes, and faults on demand.

It shares no code with the service, so that it can judge it. Unmodified ccxt classes work against it once their
addresses point at it (`clients.point_at`). Its parts:

    model     instruments, orders, trades, refusals, fill plans
    account   one account's balances and positions
    engine    deterministic matching against a settable price
    ledger    what was executed: the judge's book, optionally in a file
    faults    what goes wrong with which request
    http      requests and answers on a bare asyncio transport
    server    `Simulator`: a venue, its engine and its faults behind a port
    binance   one venue; each venue is one module

In a test:

    async with Simulator(BinanceSpot()) as simulator:
        simulator.schedule.queue("place", faults.close_after())
        ...
        assert simulator.ledger.placed("fp-1") == 1

As a process: `python -m tests.simulator --venue binance --fault-rate 0.1 --seed 7 --ledger FILE`.
"""
