"""No secret gets through to where people look, and every order id does."""

from __future__ import annotations

import secrets
from typing import NamedTuple

import httpx
import pytest

from service.core.client_ids import ClientIdFormat, IdKind
from telemetry import conventions as c
from tests.acceptance.stack import otlp
from tests.acceptance.stack.fillpath import BUY, Fillpath
from tests.acceptance.stack.lab import Lab
from tests.acceptance.stack.waiting import eventually

PRODUCER = "somebody-careless"
MASKED = "****"
ORDER_ID = "01a20ade1ffa76269dc6b829d5eaa812"
FORMATS = (
    ClientIdFormat(IdKind.PREFIXED_HEX, prefix="fp-"),
    ClientIdFormat(IdKind.PREFIXED_BASE32, prefix="fp", max_length=32),
    ClientIdFormat(IdKind.PREFIXED_BASE32, prefix="fp", max_length=20),
    ClientIdFormat(IdKind.PREFIXED_BASE32, prefix="t-fp", max_length=28),
    ClientIdFormat(IdKind.UUID),
    ClientIdFormat(IdKind.HEX128),
    ClientIdFormat(IdKind.NUMERIC, max_length=19, bits=63),
)
EXCHANGE_ORDER_IDS = (
    "75881312-1",
    "28457",
    "1234567890123456789",
    "O6NPMP-VLHFX-XEXP7J",
    "0a9c5f6e-70d4-4a39-8a3e-4e1b6c7d8e9f",
    "0x6f2b1c" + "ab" * 29,
    "ETH-349249",
)

KEYS = ("api_key", "apiKey", "x-webhook-signature", "authorization", "exchange.secret", "password", "webhook_token")
VALUES = ("Bearer {}", "basic {}", "whsec_{}", "https://user:{}@example.com/path", "header was Bearer {} here")


class Leak(NamedTuple):
    """A secret under a key, or inside a value, and where it was put."""

    key: str
    value: str
    secret: str


def _leaks() -> list[Leak]:
    named = [Leak(key, secret := _secret(), secret) for key in KEYS]
    shaped = [Leak(f"note.{n}", text.format(secret := _secret()), secret) for n, text in enumerate(VALUES)]
    return [*named, *shaped]


def _secret() -> str:
    return f"leaked{secrets.token_hex(12)}"


def test_a_secret_in_an_alert_its_headers_or_its_url_reaches_no_server(lab: Lab, service: Fillpath) -> None:
    planted = {name: _secret() for name in ("comment", "tag", "field", "bearer", "cookie", "key", "baggage", "query")}
    alert = BUY | {"comment": f"token={planted['comment']}", "tag": f"whsec_{planted['tag']}"}
    headers = {
        "Authorization": f"Bearer {planted['bearer']}",
        "Cookie": f"session={planted['cookie']}",
        "X-Api-Key": planted["key"],
        "baggage": f"token={planted['baggage']}",
    }
    query = f"?token={planted['query']}"

    filled = service.filled(alert, headers=headers, query=query)
    by_token = service.filled(BUY, source="tradingview", headers=headers, query=query)
    refused = [
        service.send(alert | {"secret": planted["field"]}, headers=headers, query=query).json(),
        service.send(alert, source="hex", secret=service.secrets["hex"][::-1], headers=headers, query=query).json(),
        service.send(alert, source="elsewhere", headers=headers, query=query).json(),
    ]

    seen = _all_that_is_seen(lab, service, [filled, by_token, *refused])
    assert filled["order_id"] in seen["logs"]
    assert all(answer["trace_id"] in seen["traces"] for answer in (filled, by_token, *refused))
    own = dict(zip((*service.secrets, "operator"), service.all_secrets, strict=True))
    leaked = [(name, place) for name, one in (planted | own).items() for place, text in seen.items() if one in text]
    assert leaked == []


def test_the_collector_masks_what_a_careless_producer_sends_in_spans(lab: Lab) -> None:
    leaks, trace_id = _leaks(), otlp.new_trace_id()
    attributes = {leak.key: leak.value for leak in leaks} | {"kept": "as it is"}

    otlp.send_spans(lab.addresses.otlp_http, PRODUCER, [otlp.span("careless", trace_id, attributes, event=attributes)])

    span = lab.jaeger.whole(trace_id, "careless").root
    for seen in (span.attributes, span.events[0].attributes):
        assert seen["kept"] == "as it is"
        assert all(MASKED in seen[leak.key] for leak in leaks), seen
    assert [leak for leak in leaks if leak.secret in lab.jaeger.text(trace_id)] == []


def test_the_collector_masks_what_a_careless_producer_sends_in_logs(lab: Lab) -> None:
    leaks, mark = _leaks(), secrets.token_hex(8)
    body = f"{mark} " + " ".join(leak.value for leak in leaks if leak.value != leak.secret)

    otlp.send_log(lab.addresses.otlp_http, PRODUCER, body, {leak.key: leak.value for leak in leaks})

    line = eventually(lambda: [one for one in lab.log_file.read_text("utf-8").splitlines() if mark in one])
    assert [leak for leak in leaks if leak.secret in line[0]] == []
    assert MASKED in line[0]


def test_the_collector_masks_what_a_careless_producer_sends_in_metrics(lab: Lab) -> None:
    leaks, name = _leaks(), f"careless_{secrets.token_hex(4)}"

    otlp.send_gauge(lab.addresses.otlp_http, PRODUCER, name, {leak.key: leak.value for leak in leaks})

    shown = eventually(lambda: text if name in (text := _exposed(lab)) else None)
    assert [leak for leak in leaks if leak.secret in shown] == []


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: f"{form.kind}-{form.prefix}{form.max_length}")
def test_each_form_of_our_order_ids_passes_unmasked(lab: Lab, form: ClientIdFormat) -> None:
    ids = {c.ATTR_ORDER_ID: ORDER_ID, c.ATTR_ORDER_CLIENT_ORDER_ID: form.derive(ORDER_ID)}
    trace_id, mark = otlp.new_trace_id(), secrets.token_hex(8)

    otlp.send_spans(lab.addresses.otlp_http, PRODUCER, [otlp.span("ids", trace_id, ids)])
    logged = {"order_id": ORDER_ID, "client_order_id": form.derive(ORDER_ID)}
    otlp.send_log(lab.addresses.otlp_http, PRODUCER, f"{mark} order {form.derive(ORDER_ID)}", logged)

    assert lab.jaeger.whole(trace_id, "ids").root.attributes == ids
    record = eventually(lambda: [one for one in lab.logged() if mark in one["body"]["stringValue"]])[0]
    assert record["attributes"] == logged
    assert record["body"]["stringValue"] == f"{mark} order {form.derive(ORDER_ID)}"


def test_every_kind_of_client_order_id_is_sent_through() -> None:
    assert {form.kind for form in FORMATS} == set(IdKind)


@pytest.mark.parametrize("exchange_order_id", EXCHANGE_ORDER_IDS)
def test_the_exchanges_order_ids_pass_unmasked(lab: Lab, exchange_order_id: str) -> None:
    trace_id = otlp.new_trace_id()
    ids = {c.ATTR_ORDER_EXCHANGE_ORDER_ID: exchange_order_id}

    otlp.send_spans(lab.addresses.otlp_http, PRODUCER, [otlp.span("ids", trace_id, ids)])

    assert lab.jaeger.whole(trace_id, "ids").root.attributes == ids


def _all_that_is_seen(lab: Lab, service: Fillpath, answers: list[dict]) -> dict[str, str]:
    """Everything about these orders and refusals, by where somebody can look."""
    traces = []
    for answer in answers:
        lab.jaeger.whole(
            answer["trace_id"], *(["order.execute"] if "order_id" in answer else ["POST /webhook/{source}"])
        )
        traces.append(lab.jaeger.text(answer["trace_id"]))
    lab.after_pushes(service)
    orders = [answer["order_id"] for answer in answers if "order_id" in answer]
    eventually(lambda: all("order FILLED" in service.fillpath("logs", order_id).stdout for order_id in orders))
    return {
        "traces": "\n".join(traces),
        "logs": lab.log_file.read_text("utf-8"),
        "stderr": service.stderr,
        "collected metrics": _exposed(lab),
        "own metrics": httpx.get(service.metrics_url, trust_env=False).text,
    }


def _exposed(lab: Lab) -> str:
    return httpx.get(f"{lab.addresses.collector_prometheus}/metrics", timeout=30, trust_env=False).text
