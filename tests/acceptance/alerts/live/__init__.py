"""Every alert rule seen live: real faults at a real stack, until Alertmanager holds the alert, and until it is gone.

    venues      simulated exchanges, and what can be wrong with each
    desks       the services, each a job of its own to the rules, and who sends to them
    senders     senders that go on, some of them slowly
    watch       which alerts Alertmanager holds, since when, until when
    scenario    a fault and the alerts that have to come of it
    intake, orders, processes
                the scenarios
    session     the stack, all scenarios side by side, and what came of each
    report      the table

`python -m scripts.lib.alerts.live` runs it and prints the table.
"""
