from __future__ import annotations

import pytest

from scripts.lib.bench.options import DEFAULT_SECTIONS, ENGINES, VENUES, parse


def test_without_arguments_the_sections_that_take_minutes_are_measured():
    asked = parse([])

    assert asked.sections == DEFAULT_SECTIONS == ("unit", "service", "open-loop", "growth")
    assert (asked.rates, asked.orders, asked.engines) == ((1000, 3000), (100_000,), ENGINES)
    assert asked.lanes >= 64


def test_a_section_named_twice_is_measured_once_and_in_the_order_of_naming():
    assert parse(["soak", "unit", "soak"]).sections == ("soak", "unit")


def test_lists_are_told_apart_by_commas():
    asked = parse(["--engines", "sdk, off", "--rates", "10,20.5", "--orders", "1000,1000000"])

    assert (asked.engines, asked.rates, asked.orders) == (("sdk", "off"), (10, 20.5), (1_000, 1_000_000))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["speed"], "'speed' is unknown; expected one of unit, service"),
        (["--engines", "off,fast"], "'fast' is unknown; expected one of off, lean, sdk"),
        (["--engines", "off,off"], "names something twice"),
        (["--engines", ""], "'' is unknown"),
        (["--seconds", "0"], "'0' is no number from 0.5 to 120"),
        (["--seconds", "nan"], "'nan' is no number"),
        (["--minutes", "inf"], "'inf' is no number"),
        (["--rates", "1000,many"], "'many' is no number"),
        (["--rates", "1e9"], "'1e9' is no number from 1 to 10000"),
        (["--connections", "2.5"], "'2.5' is no whole number"),
        (["--connections", "-1"], "is no whole number|expected one argument"),
        (["--lanes", "63"], "'63' is no whole number from 64"),
        (["--orders", "0"], "'0' is no whole number"),
        (["--venue", "kraken"], "'kraken' is unknown"),
    ],
)
def test_a_wrong_argument_ends_the_program_with_its_name_and_what_was_expected(arguments, words, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(arguments)

    assert ended.value.code == 2
    assert any(word in capsys.readouterr().err for word in words.split("|"))


def test_every_venue_that_can_be_named_can_be_measured():
    from scripts.lib.bench.exchange_orders import SYMBOLS

    assert set(VENUES) == set(SYMBOLS)
