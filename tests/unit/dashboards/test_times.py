"""The time that a panel's query covers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboards.queries import Times


@given(
    now=st.floats(1.7e9, 1.9e9),
    shown=st.integers(60, 86_400),
    step=st.sampled_from((5, 15, 30, 60)),
)
def test_the_last_value_asked_for_is_less_than_a_step_old_and_the_first_no_later_than_the_time_shown(
    now: float, shown: int, step: int
) -> None:
    """Prometheus answers for the start and for every step from there that is not after the end."""
    start, end = Times(shown=shown, step=step).ends(now)

    last = start + (end - start) // step * step
    assert now - step < last <= now
    assert start <= now - shown
