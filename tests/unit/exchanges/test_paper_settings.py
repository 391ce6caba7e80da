import msgspec
import pytest

from service.exchanges.paper import PaperSettings


def test_the_defaults_work_at_once():
    settings = PaperSettings()
    assert len(settings.symbols) == 16
    assert settings.accounts == ("paper-1", "paper-2", "paper-3", "paper-4")
    assert msgspec.convert(msgspec.to_builtins(settings), PaperSettings, strict=False) == settings


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("latncy = 1", "unknown field `latncy`"),
        ("latency = -1.0", "latency is -1.0"),
        ("tick_interval = 0.0", "tick_interval is 0.0"),
        ("volatility = nan", "volatility is nan"),
        ('accounts = [""]', "accounts holds an empty name"),
        ('accounts = ["a", "a"]', "twice"),
        ('spread_bps = "NaN"', "spread_bps is NaN"),
        ('starting_balances = {USDT = "1e999999999"}', "starting_balances.USDT must be at most"),
        ('fee_rate = {taker = "0.6"}', "fee_rate.taker is 0.6"),
        ("partial_fills = {parts = 0}", "partial_fills.parts is 0"),
        (
            'symbols = [{symbol = "BTCUSDT", price = 1, amount_step = 1, price_tick = "0.1", min_quantity = 1}]',
            "expected BASE/QUOTE",
        ),
        (
            'symbols = [{symbol = "A/B", price = "0.1", amount_step = 1, price_tick = "0.1", min_quantity = 1}]',
            "below two steps",
        ),
    ],
)
def test_a_wrong_setting_is_named(toml, message):
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.toml.decode(toml, type=PaperSettings)
