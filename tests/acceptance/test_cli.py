"""The command line against a running service."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess

import pytest

from tests.acceptance.conftest import ROOT, Installation, on_free_ports

BUY = ("send", "--symbol", "BTC/USDT", "--side", "buy", "--quantity", "0.01")
RESTING = (*BUY, "--order-type", "limit", "--price", "20000")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """One service, with the configuration that scripts/run writes, for all tests here."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "fillpath.toml").write_text((ROOT / "scripts/lib/fillpath.toml").read_text("utf-8"), "utf-8")
    installation = Installation(folder, on_free_ports())
    with installation.serving():
        yield installation


def sent(service, *arguments):
    return json.loads(service.fillpath(*arguments, "--json", "--no-trace").stdout)["order"]


def test_send_shows_the_outcome_and_draws_the_way_from_the_webhook_to_the_fill(service):
    done = service.fillpath(*BUY)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("FILLED  buy 0.01 BTC/USDT market at paper-1\n")
    assert re.search(r"^  fees +0\.00001 BTC$", done.stdout, re.MULTILINE)
    steps = re.findall(r"^[│├└─ ]*([a-z_.]+|POST \S+) ", done.stdout.partition("step ")[2], re.MULTILINE)
    way = ["POST /webhook/{source}", "webhook.authenticate", "journal.append", "order.execute", "exchange.create_order"]
    assert [step for step in dict.fromkeys(steps) if step in way] == way


def test_the_same_id_again_is_the_same_order(service):
    first = sent(service, *BUY, "--id", "once-only")
    second = sent(service, *BUY, "--id", "once-only")

    assert first["order_id"] == second["order_id"]


def test_every_send_without_an_id_is_an_order_of_its_own(service):
    assert sent(service, *BUY)["order_id"] != sent(service, *BUY)["order_id"]


def test_a_refusal_names_each_wrong_field_and_the_trace(service):
    done = service.fillpath(*BUY, "--order-type", "limit", "--confidence", "7")

    assert done.returncode == 1
    assert done.stdout == ""
    assert "fillpath: refused: invalid_field (422): " in done.stderr
    assert re.search(r"^  price: ", done.stderr, re.MULTILINE)
    assert re.search(r"^  confidence: ", done.stderr, re.MULTILINE)
    assert re.search(r"^  trace: [0-9a-f]{32}$", done.stderr, re.MULTILINE)


def test_an_order_that_is_denied_after_the_journal_fails_with_its_reason(service):
    done = service.fillpath("send", "--symbol", "BTC/USDT", "--side", "buy", "--quantity", "900")

    assert done.returncode == 1
    assert done.stdout.startswith("DENIED")
    assert "insufficient_balance" in done.stdout


def test_a_token_source_can_be_sent_to_as_well(service):
    done = service.fillpath(*BUY, "--source", "tradingview", "--no-trace")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("FILLED")


def test_a_wrong_secret_is_refused_without_saying_what_was_wrong(service):
    other = "whsec_" + "YW5vdGhlciBzZWNyZXQgZm9yIHRoaXMgdGVzdCBvbmx5"

    done = service.fillpath(*BUY, FILLPATH_WEBHOOK_SECRET=other)

    assert done.returncode == 1
    assert "refused: signature (401)" in done.stderr


def test_a_wrong_operator_token_is_one_clear_message(service):
    done = service.fillpath("orders", FILLPATH_OPERATOR_TOKEN="not-the-token")

    assert done.returncode == 1
    assert "refused: operator_token (401)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("reference", ["order_id", "client_order_id", "exchange_order_id"])
def test_an_order_is_found_by_each_of_its_ids(service, reference):
    order = sent(service, *BUY)

    shown = service.fillpath("orders", order[reference]).stdout

    assert order["order_id"] in shown
    assert re.search(r"RECEIVED +SUBMITTED", shown)


def test_orders_lists_what_was_asked_for(service):
    order = sent(service, *BUY, "--account", "paper-2", "--tag", "breakout")

    page = json.loads(service.fillpath("orders", "--account", "paper-2", "--status", "filled", "--json").stdout)
    listing = service.fillpath("orders", "--account", "paper-2", "--limit", "1")

    assert order["order_id"] in {found["order_id"] for found in page["orders"]}
    assert listing.stdout.splitlines()[1].split()[2] == order["order_id"]


def test_an_unknown_order_is_one_line(service):
    done = service.fillpath("trace", "no-such/order")

    assert done.returncode == 1
    assert done.stderr.startswith("fillpath: refused: ")
    assert "404" in done.stderr


def test_trace_draws_the_same_trace_for_any_id(service):
    order = sent(service, *BUY)

    drawn = {service.fillpath("trace", order[key]).stdout for key in ("order_id", "client_order_id")}

    assert len(drawn) == 1
    assert "exchange.create_order" in drawn.pop()


def test_a_resting_order_is_canceled(service):
    order = sent(service, *RESTING)
    assert order["status"] == "ACCEPTED"

    done = service.fillpath("cancel", order["order_id"])

    assert done.returncode == 0, done.stderr
    assert service.fillpath("orders", order["order_id"]).stdout.startswith(("CANCELED", "PENDING_CANCEL"))


def test_halt_refuses_entries_until_resume(service):
    assert "reducing for paper-4" in service.fillpath("halt", "--account", "paper-4").stdout
    halted = service.fillpath(*BUY, "--account", "paper-4")
    assert "kill switch: off" in service.fillpath("resume", "--account", "paper-4").stdout
    released = service.fillpath(*BUY, "--account", "paper-4", "--no-trace")

    assert (halted.returncode, released.returncode) == (1, 0)
    assert "refused: halted (422)" in halted.stderr


def test_resolve_is_refused_for_an_order_that_is_not_in_doubt(service):
    order = sent(service, *BUY)

    done = service.fillpath("resolve", order["order_id"], "--status", "canceled", "--evidence", "seen on the web page")

    assert done.returncode == 1
    assert "fillpath: refused: " in done.stderr


def test_check_passes_on_a_healthy_service(service):
    done = service.fillpath("check")

    assert done.returncode == 0, done.stdout
    assert re.search(r"^exchange paper +ok  connected", done.stdout, re.MULTILINE)


def test_check_says_what_is_missing_without_a_service(installation):
    done = installation.fillpath("check")

    assert done.returncode == 0, done.stdout
    assert re.search(r"^service +ok  not running$", done.stdout, re.MULTILINE)


def test_a_service_that_is_down_is_one_line(installation):
    done = installation.fillpath(
        *BUY, FILLPATH_WEBHOOK_SECRET="whsec_" + "c2VjcmV0IG9mIHRoZSB0ZXN0cyBvZiBmaWxscGF0aA=="
    )

    assert done.returncode == 1
    assert re.fullmatch(
        r"fillpath: nothing answers at http://\S+ \(.*\); start it with `fillpath serve`.*\n", done.stderr
    )


def test_a_wrong_configuration_stops_the_start_with_the_nearest_right_key(installation):
    (installation.folder / "fillpath.toml").write_text("[server]\nprot = 8080\n")

    done = installation.fillpath("serve")

    assert done.returncode == 1
    assert done.stderr == "fillpath: configuration key `server.prot` is not known; did you mean port?\n"


@pytest.mark.parametrize(
    ("exporter", "said"),
    [("otlp", '"level":"info".*"telemetry engine: lean"'), ("console", '"level":"warning".*sdk, because of OTEL')],
)
def test_the_start_says_in_one_line_which_telemetry_engine_runs_and_why(installation, exporter, said):
    installation.environ["OTEL_TRACES_EXPORTER"] = exporter
    with installation.serving() as running:
        pass
    lines = [line for line in running.errors.splitlines() if "telemetry engine" in line]

    assert len(lines) == 1
    assert re.search(said, lines[0])


def test_a_second_service_on_the_same_journal_is_refused_in_one_line(service):
    done = service.fillpath("serve", **{k: v for k, v in on_free_ports().items() if k.startswith("FILLPATH_")})

    assert done.returncode == 1
    assert done.stderr.startswith("fillpath: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("over", "colours"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colours_unless_they_are_unwanted(service, over, colours):
    controller, terminal = pty.openpty()
    with os.fdopen(controller, "rb", buffering=0) as screen, os.fdopen(terminal, "wb") as stdout:
        subprocess.run(
            [service.program, "orders", "--limit", "1"],
            cwd=service.folder,
            env=service.environ | {"TERM": "xterm-256color"} | over,
            stdout=stdout,
            check=True,
        )
        shown = screen.read(65_536)

    assert bool(re.search(rb"\x1b\[[0-9;]*3[0-7]", shown)) is colours


def test_a_pipe_gets_plain_text(service):
    assert "\x1b" not in service.fillpath("orders").stdout


def test_no_secret_was_printed_by_anything_above(service):
    assert len(service.secrets) == 3
    for secret in service.secrets:
        assert secret.removeprefix("whsec_") not in service.said
