"""The chaos run: a real service, killed again and again, trading at a simulated exchange that fails on purpose.

    places       what is traded at which simulated exchange, and how the service is configured for it
    processes    exchange and service as processes: started, killed, started again
    disturbance  faults of the exchange: how many of which kind hit, and switching them off
    alerts       the stream of alerts and a sender that repeats them as TradingView does
    receiver     takes the service's spans, outside of the process that is killed
    operator     the operator interface: cancel, wait for the ends, read what became of each order
    evidence     all that the judge may know
    judge        the verdict: lost, doubled, wrong
    spans        the verdict on the traces, and how long a restart took to go on
    history      a journal with many finished orders, for the time that a restart takes
    report       the table and the JSON
    run          one run from the first start to the verdict

`python -m scripts.lib.chaos --help` says what can be asked for.
"""
