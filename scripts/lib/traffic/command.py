"""The command line of the traffic generator."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from scripts.lib.traffic.checks import Check
from scripts.lib.traffic.failures import check_failures
from scripts.lib.traffic.limits import check_rate_limit
from scripts.lib.traffic.running import run
from scripts.lib.traffic.schedule import Schedule
from scripts.lib.traffic.summary import RATE_PER_S, Summary, summarize
from scripts.lib.traffic.target import Target, check_loopback, find
from scripts.lib.traffic.view import print_checks, print_summary, progress
from scripts.lib.traffic.worker import Job
from service.cli.context import Context
from service.errors import FillpathError

FAILED = 1
UNUSABLE = 2
INTERRUPTED = 130

_PLAIN_WEBHOOKS = 100
_PLAIN_CONNECTIONS = 10
_LOAD_CONNECTIONS = 128
_DURATION_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the options ask for; None where they say nothing."""

    webhooks: int | None
    concurrent: int | None
    load_test: bool
    duration: float | None
    rate: float | None
    failures: bool
    rate_limit: bool
    seed: int

    @property
    def traffic(self) -> bool:
        """Alerts of the mix are sent unless only checks are asked for."""
        return self.load_test or self.webhooks is not None or not (self.failures or self.rate_limit)

    def job(self, target: Target, run_name: str) -> Job:
        rate = self.rate or (RATE_PER_S if self.load_test else None)
        if rate is None:
            schedule, count = None, self.webhooks or _PLAIN_WEBHOOKS
        else:
            lasting = Schedule.lasting(self.duration or _DURATION_S, rate)
            count = self.webhooks or (lasting.count if self.load_test or self.duration else _PLAIN_WEBHOOKS)
            schedule = Schedule(rate, count)
        connections = self.concurrent or (_PLAIN_CONNECTIONS if schedule is None else _LOAD_CONNECTIONS)
        return Job(target, min(connections, count), count, schedule, self.seed, run_name)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--webhooks", type=click.IntRange(1), metavar="N", help="Send this many alerts (100).")
@click.option("--concurrent", type=click.IntRange(1, 2000), metavar="N", help="Connections at once (10; load: 128).")
@click.option("--url", help="Address that takes alerts; else as configured.")
@click.option("--secret", help="Signs in place of the configured one; seen by others of this machine: better a file.")
@click.option("--source", help="Only this source; else all that have a secret here.")
@click.option("--account", "accounts", multiple=True, help="Also this account of a simulator or sandbox.")
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file; else as `fillpath` finds it.")
@click.option("--load-test", is_flag=True, help="Send at a fixed rate, however slow the answers come.")
@click.option("--duration", type=click.FloatRange(0.1), metavar="S", help="Seconds of the load test (60).")
@click.option("--rate", type=click.FloatRange(0.1), metavar="R", help="Alerts a second (load test: 1000).")
@click.option("--test-failures", "failures", is_flag=True, help="Try all that has to be refused.")
@click.option("--test-rate-limit", "rate_limit", is_flag=True, help="Fail until refused; good alerts must still pass.")
@click.option("--seed", default=1, show_default=True, help="The same seed chooses the same alerts.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document in place of tables.")
@click.option("--i-own-this-host", "owned", is_flag=True, help="Allow an address beyond loopback.")
def traffic(
    *,
    url: str | None,
    secret: str | None,
    source: str | None,
    accounts: Sequence[str],
    config: Path | None,
    as_json: bool,
    owned: bool,
    **wanted: Any,
) -> int:
    """Send test alerts to a running service: a mix of markets, sides, kinds and sources, good ones and bad ones.

    Without options: 100 alerts to the service that ./scripts/run started. Exits with 1 where a target was missed, 2
    where nothing could be sent, 130 after Ctrl-C, which shows the figures so far.
    """
    asked = Wanted(**wanted)
    target = find(Context(config=config), url=url, secret=secret, source=source, accounts=accounts)
    if not owned:
        check_loopback(target.url)
    console = Console(file=sys.stderr if as_json else sys.stdout, highlight=False, quiet=as_json)
    return _run(asked, target, console, as_json=as_json)


def _run(asked: Wanted, target: Target, console: Console, *, as_json: bool) -> int:
    name = f"traffic-{secrets.token_hex(6)}"
    summary: Summary | None = None
    checks: dict[str, list[Check]] = {}
    try:
        if asked.traffic:
            summary = _send(asked.job(target, name), target, console)
            if not as_json:
                print_summary(console, summary)
        interrupted = summary is not None and summary.interrupted
        for title, test in _tests(asked) if not interrupted else ():
            checks[title] = test(target, f"{name}-{len(checks)}")
            if not as_json:
                print_checks(console, title, checks[title])
    except KeyboardInterrupt:
        return INTERRUPTED
    if as_json:
        _print_json(summary, checks)
    return _status(summary, checks)


def _tests(asked: Wanted) -> list[tuple[str, Callable[[Target, str], list[Check]]]]:
    return [
        *([("what has to be refused", check_failures)] if asked.failures else []),
        *([("limit of failures", check_rate_limit)] if asked.rate_limit else []),
    ]


def _send(job: Job, target: Target, console: Console) -> Summary:
    names = ", ".join(sender.name for sender in target.senders)
    rate = "as fast as answers come" if job.schedule is None else f"{job.schedule.rate:,.0f}/s"
    console.print(
        f"{job.count:,} alerts to {target.url}, {rate}, over {job.connections} connections; sources {names}, "
        f"{target.lanes} lanes"
    )
    with progress(console, "sending", job.count) as show:
        ran = run(job, show)
    return summarize(
        "Load test" if job.schedule else "Traffic",
        ran.batch,
        ran.seconds,
        cpu_seconds=ran.cpu_seconds,
        asked_rate=job.schedule.rate if job.schedule else None,
        interrupted=ran.interrupted,
    )


def _print_json(summary: Summary | None, checks: dict[str, list[Check]]) -> None:
    document = {
        "traffic": None if summary is None else summary.document,
        "checks": {title: [check._asdict() for check in found] for title, found in checks.items()},
        "passed": _status(summary, checks) == 0,
    }
    print(msgspec.json.format(msgspec.json.encode(document)).decode())


def _status(summary: Summary | None, checks: dict[str, list[Check]]) -> int:
    if summary is not None and summary.interrupted:
        return INTERRUPTED
    passed = summary is None or summary.passed
    return 0 if passed and all(check.passed for found in checks.values() for check in found) else FAILED


def main(arguments: Sequence[str]) -> int:
    """The exit status; what a user can mend is one line."""
    try:
        status = traffic.main(args=list(arguments), prog_name="generate_test_traffic", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except FillpathError as error:
        print(f"generate_test_traffic: {error}", file=sys.stderr)
        return UNUSABLE
    except BrokenPipeError:
        # The reader has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return status if isinstance(status, int) else 0
