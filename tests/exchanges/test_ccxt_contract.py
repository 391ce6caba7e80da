"""The ccxt adapter does what every exchange must, against simulated ones over real HTTP."""

from __future__ import annotations

import pytest

from tests.exchanges.adapter import ACCOUNT, trading
from tests.unit.exchanges.exchange_contract import ExchangeContract, Place


class SwapContract(ExchangeContract):
    """On an account that trades one linear perpetual."""

    venue: str
    symbol: str

    @pytest.fixture
    async def exchange(self):
        async with trading(self.venue, "swap", self.symbol) as (exchange, _):
            yield exchange

    @pytest.fixture
    def place(self):
        return Place(ACCOUNT, self.symbol)


class TestBinanceSpot(ExchangeContract):
    @pytest.fixture
    async def exchange(self):
        async with trading("binance", "spot", "BTC/USDT") as (exchange, _):
            yield exchange

    @pytest.fixture
    def place(self):
        return Place(ACCOUNT, "BTC/USDT")


class TestOkxSwap(SwapContract):
    venue = "okx"
    symbol = "BTC/USDT:USDT"


class TestDeribit(SwapContract):
    venue = "deribit"
    symbol = "BTC/USDC:USDC"


class TestBybitSwap(SwapContract):
    venue = "bybit"
    symbol = "BTC/USDT:USDT"
