"""A share of `python -m scripts.lib.judge`: programs come out of both engines alike; and that the judge can tell."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from opentelemetry.trace import SpanKind

from scripts.lib.judge import facade, programs, spans
from scripts.lib.judge.__main__ import main
from scripts.lib.judge.playing import in_a_spawned_process
from telemetry import conventions as c
from telemetry.facade import LogEntry

# What differs is shrunk by the command, which has the time.
SOME = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)


@pytest.fixture(autouse=True)
def no_logs() -> Iterator[None]:
    """Both engines log what they leave out, and a lone surrogate in a log breaks the test runner's own reports."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@SOME
@given(program=spans.programs)
def test_any_program_of_the_tracing_api_comes_out_alike(program: spans.SpanProgram) -> None:
    spans.Providers(program).judge()


NODE = spans.Node(
    "x", 0, "block", SpanKind.SERVER, None, {"a": [1]}, [(0, {})], None, [], [], False, "ValueError", True, True
)
SPANS = spans.SpanProgram({}, "none", None, None, "in turn", [NODE._replace(steps=[("add_event", "e", {"b": 1})])])
BLOCK = programs.Block(
    "request",
    "x",
    {"a": 1},
    None,
    False,
    None,
    [],
    [
        ("keep",),
        ("log", LogEntry(1, 20, "INFO", "hello", {"a": 1})),
        ("record", c.ACK_DURATION, 0.003, {"source": "tv"}),
        ("add", c.DUPLICATE_ALERTS, 1, {"source": "tv"}),
    ],
    [],
    False,
    "ValueError",
)
FACADE = programs.Program("cumulative", {}, "in turn", [BLOCK], [], [BLOCK], True)


@pytest.mark.filterwarnings("ignore:Log record attributes were dropped", "ignore:This process:DeprecationWarning")
@SOME
@given(program=programs.programs)
@example(program=FACADE._replace(blocks=[BLOCK._replace(given={f"key {n}": n for n in range(65)})], forked=[]))
def test_any_program_of_the_facade_comes_out_alike(program: programs.Program) -> None:
    facade.judge(program)


@pytest.mark.parametrize("way", ["in turn", "tasks", "threads"])
def test_what_is_played_is_compared(way: Any) -> None:
    one = SPANS._replace(way=way, nodes=[NODE, NODE._replace(below=[NODE, NODE], together=True)])

    assert spans.Providers(one).judge() == 4


def test_every_signal_is_compared_in_a_forked_child_too() -> None:
    # Twice a span and a record, beside all metrics.
    assert facade.judge(FACADE) > 4 + 2 * 30


@pytest.mark.parametrize(
    ("place", "judge", "said"),
    [
        ("scripts.lib.judge.spans.encode_span", lambda: spans.Providers(SPANS).judge(), "^spans differ"),
        ("telemetry.lean.engine.encode_span", lambda: facade.judge(FACADE), "^traces differ"),
        ("telemetry.lean.engine.encode_log", lambda: facade.judge(FACADE), "^logs differ"),
        ("telemetry.lean.histograms.bisect_left", lambda: facade.judge(FACADE), "^metrics differ"),
        ("telemetry.lean.engine.resource_of_child", lambda: facade.judge(FACADE), "^instance ids"),
    ],
)
def test_the_judge_can_tell(place: str, judge: Callable[[], int], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "bisect_left": lambda edges, _number: len(edges),
        "resource_of_child": lambda resource: resource,
        "encode_log": lambda _entry, _context: b"\x00",
        "encode_span": lambda _span: b"\x00",
    }
    monkeypatch.setattr(place, wrong[place.rpartition(".")[2]])

    with pytest.raises(AssertionError, match=said):
        judge()


def test_whole_engines_are_compared_in_a_spawned_process_too() -> None:
    counts = in_a_spawned_process("facade", 3, 7)

    assert counts["facade"] == counts["in spawned processes"] == 3


def test_the_command_counts_what_it_played(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cases", "4", "--seed", "7"]) == 0

    assert capsys.readouterr().out.endswith("\n4 cases, 0 differences\n")
