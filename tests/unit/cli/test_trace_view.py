from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from service.cli.trace_view import BAR_WIDTH, TraceView, bar, duration, guide
from tests.unit.cli.traces import FILLED, document, span


def drawn(trace, *, encoding="utf-8", width=140):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=stream, width=width, markup=False, highlight=False, emoji=False).print(TraceView(trace))
    stream.flush()
    return [line.rstrip() for line in stream.buffer.getvalue().decode(encoding).splitlines()]


def test_a_trace_is_drawn_from_the_webhook_to_the_fill():
    assert drawn(FILLED) == [
        "step                              at     took",
        "POST /webhook/{source}       0.00 ms  2.00 ms  █████                     http=202",
        "├─ webhook.decode            0.10 ms  0.05 ms  █",
        "├─ journal.append            0.50 ms  1.00 ms   ██                       commit=7 batch=3",
        "└─ order.execute             2.50 ms  7.50 ms        ██████████████████  status=FILLED",
        "   └─ exchange.create_order  4.00 ms  5.00 ms           ████████████     outcome=accepted",
        "5 steps in 10.0 ms",
    ]


def test_on_a_terminal_without_unicode_guides_and_bars_are_ascii():
    text = "\n".join(drawn(FILLED, encoding="ascii"))

    assert "`- order.execute" in text
    assert "#####" in text


def test_a_step_from_the_journal_is_marked_and_has_no_length():
    trace = document(
        span("journal.append", "c", "a", fillpath__rebuilt=True), span("order.resume", "r", "a", took_us=9)
    )

    lines = drawn(trace)

    assert lines[2].split() == ["journal.append", "*", "0.00", "ms", "█"]
    assert "rebuilt from the journal" in lines[-1]


def test_a_refusal_shows_its_reason_and_a_failure_its_type():
    trace = document(
        span("a", "a", denial__reason="price_band"), span("b", "b", failed=True, error__type="TimeoutError")
    )

    text = "\n".join(drawn(trace))

    assert "reason=price_band" in text
    assert "error=TimeoutError" in text


def test_what_a_sender_wrote_cannot_move_the_cursor():
    assert "\x1b" not in "\n".join(drawn(document(span("a", "a", denial__reason="\x1b[2J"))))


def test_a_trace_without_spans_says_so():
    assert drawn(document()) == ["no span of this trace is known here"]


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0.00 ms"),
        (9_994_000, "9.99 ms"),
        (9_999_999, "10.0 ms"),
        (123_456_789, "123.5 ms"),
        (999_960_000, "1.00 s"),
        (1_234_000_000, "1.23 s"),
        (180_000_000_000, "3.0 min"),
        (9_000_000_000_000, "2.5 h"),
    ],
)
def test_durations_are_short_and_carry_their_unit(nanoseconds, text):
    assert duration(nanoseconds) == text


@given(st.integers(0, 10**18), st.integers(0, 10**18), st.integers(0, 10**18))
def test_a_bar_is_always_visible_and_never_leaves_its_column(start, length, rest):
    drawn_bar = bar(start, length, start + length + rest)

    assert drawn_bar.strip()
    assert len(drawn_bar) <= BAR_WIDTH


def test_guides_pass_by_what_is_still_to_come():
    assert guide(()) == ""
    assert guide((False, True)) == "│  └─ "
    assert guide((True, False)) == "   ├─ "
