from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.cli.trace_tree import is_complete, lines, steps
from tests.unit.cli.traces import FILLED, document, span

IDS = st.sampled_from(["", "a", "b", "c", "d", "e"])


def test_steps_stand_below_their_parents_in_the_order_of_their_start():
    drawn = lines(steps(FILLED))

    assert [(len(line.last), line.step.name) for line in drawn] == [
        (0, "POST /webhook/{source}"),
        (1, "webhook.decode"),
        (1, "journal.append"),
        (1, "order.execute"),
        (2, "exchange.create_order"),
    ]


def test_a_parent_that_began_together_with_its_child_comes_first():
    found = steps(document(span("child", "b", "a", took_us=1), span("parent", "a", took_us=5)))

    assert [step.name for step in found] == ["parent", "child"]


def test_a_step_without_its_parent_stands_at_the_top():
    drawn = lines(steps(document(span("order.execute", "e", "gone"))))

    assert [(line.step.name, line.last) for line in drawn] == [("order.execute", ())]


@given(st.lists(st.tuples(IDS.filter(bool), IDS), unique_by=lambda pair: pair[0]))
def test_no_step_is_drawn_twice_and_none_is_left_out(parents):
    found = steps(document(*(span(f"step {own}", own, parent) for own, parent in parents)))

    assert sorted(line.step.span_id for line in lines(found)) == sorted(own for own, _ in parents)


def test_a_trace_is_complete_with_its_server_span():
    assert is_complete(steps(FILLED), final=True)
    assert not is_complete(steps(document(span("webhook.decode", "b", "a"))), final=False)


def test_the_trace_of_a_final_order_is_complete_only_with_its_execution():
    unfinished = steps(document(span("POST /webhook/{source}", "a", kind=2)))

    assert is_complete(unfinished, final=False)
    assert not is_complete(unfinished, final=True)


def test_attribute_values_are_read_as_text_whatever_their_type():
    (step,) = steps(document(span("x", "a", fillpath__rebuilt=True, journal__batch__size=3, order__status="FILLED")))

    assert step.attributes == {"fillpath.rebuilt": "true", "journal.batch.size": "3", "order.status": "FILLED"}
    assert step.rebuilt
