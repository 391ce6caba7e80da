"""The census: sends orders through a real stack and finds every one of them again, its trace whole, in Jaeger.

    alerts    what is sent, and how each order is to end
    sending   an open load: alerts at their times, however long the answers take
    orders    the operator interface: what became of each order, what telemetry was dropped
    jaeger    asks Jaeger for the traces of an order
    spans     Jaeger's answer as spans
    looking   waits for the end of each order and for its trace
    judge     the verdict on one order: what its trace lacks
    report    figures, table and JSON
    run       one census from the first start to the verdict

`python -m scripts.lib.census --help` says what can be asked for.
"""
