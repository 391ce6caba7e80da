"""What a configuration file may ask for and does not get, and what stops the start: data, for code and documentation.

A rule's name is the end of the places that it is about, without the numbers in brackets.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from telemetry import limits
from telemetry.environment import OTLP_GRPC, entry_of
from telemetry.headers import is_header, is_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUEUE_SIZE = 2_048
BATCH_SIZE = 512
SPAN_DELAY_MS = 5_000
LOG_DELAY_MS = 1_000
METRIC_INTERVAL_MS = 60_000
COLLECTION_TIMEOUT_MS = 30_000
EXPORT_TIMEOUT_MS = 10_000
"""What the format says is meant where a file says nothing: not what Fillpath has without a file."""

_SIGNALS = {"tracer_provider": "traces", "meter_provider": "metrics", "logger_provider": "logs"}
_NO_NUMBER = re.compile(r"\[\d+\]")


def _always(_value: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not done and hurts nobody; `applies` says for which values, `unless` which ones are right."""

    name: str
    why: str
    applies: Callable[[Any], bool] = _always
    unless: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that stops the start: without it data would be lost, or not be where it was sent to.

    `expected` ends with what to do after a semicolon; `broken` takes the signal and the value.
    """

    name: str
    expected: str
    broken: Callable[[str, Any], bool]


def _above(limit: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and value > limit


def _limits() -> Iterator[LeftOut]:
    for place, most in (("tracer_provider.limits", limits.SPAN), ("logger_provider.limits", limits.LOG_RECORD)):
        for name, limit in most.items():
            yield LeftOut(f"{place}.{name}", f"memory is bounded: at most {limit}", _above(limit), f"up to {limit}")
    for name, limit in limits.LOG_RECORD.items():
        least = min(limit, limits.SPAN[name])
        why = f"memory is bounded: at most {limits.SPAN[name]} on spans and {limit} on log records"
        yield LeftOut(f"attribute_limits.{name}", why, _above(least), f"up to {least}")


def _other_propagators(text: str) -> bool:
    return bool({name.strip() for name in text.split(",")} - {"", "none", "tracecontext"})


_PROPAGATION = "`traceparent` alone is read, by a rule of each source, and nothing is sent on"
_ONE_SCOPE = "there is one scope; a signal without its provider is not exported"
_ENDLESS = "an export without end: 10 s hold"

LEFT_OUT = (
    LeftOut(
        "tracer_provider.sampler",
        "every order's trace is kept: the service itself samples, refused unauthenticated requests only",
        lambda sampler: sampler.always_on is None,
        "always_on",
    ),
    LeftOut(
        "tracer_provider.id_generator",
        "ids are random: they are the names of orders' traces for years",
        lambda generator: generator.random is None,
        "random",
    ),
    LeftOut("processors[].simple", "no order waits for an export: sent in batches, as `batch` without options does"),
    LeftOut("batch.export_timeout", "the exporter's own time-out holds"),
    LeftOut("otlp_http.timeout", _ENDLESS, lambda timeout: timeout == 0, "more than 0"),
    LeftOut("otlp_grpc.timeout", _ENDLESS, lambda timeout: timeout == 0, "more than 0"),
    LeftOut("meter_provider.views", "names, labels and buckets are what dashboards and alert rules rely on"),
    LeftOut(
        "default_histogram_aggregation",
        "buckets are what dashboards and alert rules rely on",
        lambda aggregation: aggregation.value != "explicit_bucket_histogram",
        "explicit_bucket_histogram",
    ),
    LeftOut(
        "meter_provider.exemplar_filter",
        "an exemplar always names a trace that is kept",
        lambda chosen: chosen.value != "trace_based",
        "trace_based",
    ),
    LeftOut("periodic.cardinality_limits", "label values are bounded where they are recorded"),
    LeftOut("periodic.producers", "the SDK has no metric producers"),
    LeftOut("periodic.max_export_batch_size/development", "all metrics leave in one request"),
    LeftOut("tracer_provider.tracer_configurator/development", _ONE_SCOPE),
    LeftOut("meter_provider.meter_configurator/development", _ONE_SCOPE),
    LeftOut("logger_provider.logger_configurator/development", _ONE_SCOPE),
    LeftOut("processors[].event_to_span_event_bridge/development", "an order's steps are spans, its lines are logs"),
    *_limits(),
    LeftOut("propagator.composite[]", _PROPAGATION, lambda propagator: propagator.tracecontext is None, "tracecontext"),
    LeftOut("propagator.composite_list", _PROPAGATION, _other_propagators, "tracecontext"),
    LeftOut("log_level", "the service's own setting holds"),
    LeftOut("instrumentation/development", "the service instruments itself"),
    LeftOut("distribution", "this is none"),
)


def _unreachable(_signal: str, endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    return parts.scheme not in {"http", "https"} or not parts.hostname


def _unreadable(_signal: str, path: str) -> bool:
    return not (Path(path).is_file() and os.access(path, os.R_OK))


def _lone_key(_signal: str, tls: Any) -> bool:
    return bool(tls.key_file) and not tls.cert_file


def _not_offered(signal: str, exporter: Any) -> bool:
    return any(entry_of(signal, name) is None for name in exporter.additional_properties)


def _is_scraped(signal: str, exporter: Any) -> bool:
    """Some packages offer a reader by the name of an exporter."""
    found = (entry_of(signal, name) for name in exporter.additional_properties)
    return any(hasattr(entry.load(), "collect") for entry in found if entry is not None)


def _batch_above_queue(_signal: str, batch: Any) -> bool:
    return (batch.max_export_batch_size or 0) > (batch.max_queue_size or QUEUE_SIZE)


def _is_zero(_signal: str, value: Any) -> bool:
    return bool(value == 0)


_HEADERS = "headers of printable ASCII, without a line's end or blanks around them; correct them or what they refer to"
_SCRAPE = "remove this reader and scrape /metrics of the operator's address, which holds the same"
_OFFERED = (
    "otlp_http, otlp_grpc, console, or what an installed package offers by this name; install one that does, or name "
    "another"
)

REFUSED = (
    Refusal("meter_provider.readers[].pull", f"periodic; {_SCRAPE}", lambda _signal, _value: True),
    Refusal("periodic.exporter", f"an exporter that sends; {_SCRAPE}", _is_scraped),
    Refusal("exporter", _OFFERED, _not_offered),
    Refusal("exporter.otlp_file/development", _OFFERED, lambda _signal, _value: True),
    Refusal(
        "exporter.otlp_grpc",
        "the package opentelemetry-exporter-otlp-proto-grpc; install fillpath with the extra `grpc`, or name otlp_http",
        lambda signal, _value: entry_of(signal, OTLP_GRPC) is None,
    ),
    Refusal(
        "otlp_http.encoding",
        "protobuf; http/json is spoken by no engine",
        lambda _signal, encoding: encoding.value != "protobuf",
    ),
    Refusal(
        "otlp_http.compression",
        "gzip, deflate or none; correct it",
        lambda _signal, name: name not in {"gzip", "deflate", "none"},
    ),
    Refusal("otlp_grpc.compression", "gzip or none; correct it", lambda _signal, name: name not in {"gzip", "none"}),
    Refusal("otlp_http.endpoint", "a whole URL, such as http://host:4318/v1/traces; correct it", _unreachable),
    Refusal("otlp_grpc.endpoint", "a URL, such as http://host:4317; correct it", _unreachable),
    Refusal("tls.ca_file", "a file that can be read; correct the path or its mode", _unreadable),
    Refusal("tls.key_file", "a file that can be read; correct the path or its mode", _unreadable),
    Refusal("tls.cert_file", "a file that can be read; correct the path or its mode", _unreadable),
    Refusal("exporter.otlp_http.tls", "cert_file beside key_file; name both", _lone_key),
    Refusal("exporter.otlp_grpc.tls", "cert_file beside key_file; name both", _lone_key),
    Refusal("headers[]", _HEADERS, lambda _signal, pair: not is_header(pair.name, pair.value or "")),
    Refusal("headers_list", f"key=value,... with {_HEADERS}", lambda _signal, text: not is_list(text)),
    Refusal("batch", "max_export_batch_size no larger than max_queue_size; correct one of them", _batch_above_queue),
    Refusal("batch.schedule_delay", "more than 0 milliseconds; correct it", _is_zero),
    Refusal("periodic.interval", "more than 0 milliseconds; correct it", _is_zero),
    Refusal(
        "processors[]",
        "batch or simple; name one of them",
        lambda _signal, processor: bool(processor.additional_properties),
    ),
)


def left_out(model: Any) -> Iterator[str]:
    """Each place with the reason in brackets."""
    for place, value in _places(model):
        for rule in LEFT_OUT:
            if _is_about(rule.name, place) and rule.applies(value):
                yield f"{place} ({rule.why})"


def refused(model: Any) -> Iterator[str]:
    """What stops the start, one line each."""
    for name in model.additional_properties:
        known = ", ".join(_written(field.name) for field in fields(model))
        yield f"{name}: expected at the top none but {known}; correct or remove it"
    for place, value in _places(model):
        signal = _SIGNALS.get(place.partition(".")[0], "")
        for rule in REFUSED:
            if _is_about(rule.name, place) and rule.broken(signal, value):
                yield f"{place}: expected {rule.expected}"


def variables_read(model: Any) -> set[str]:
    """Variables that the library reads because the file names who reads them."""
    detection = model.resource and model.resource.detection_development
    detectors = (detection and detection.detectors) or ()
    return {"OTEL_SERVICE_NAME"} if any(detector.service is not None for detector in detectors) else set()


def _is_about(name: str, place: str) -> bool:
    bare = _NO_NUMBER.sub("[]", place)
    return bare == name or bare.endswith(f".{name}")


def _places(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Everything that the file says anything about, from the outside in."""
    if place:
        yield place, value
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, f"{place}[{index}]")
    elif is_dataclass(value):
        for field in fields(value):
            inner = getattr(value, field.name)
            if inner is not None:
                yield from _places(inner, f"{place}.{_written(field.name)}".removeprefix("."))


def _written(name: str) -> str:
    """A field by the name that it has in files."""
    return f"{name.removesuffix('_development')}/development" if name.endswith("_development") else name
