"""The paper exchange: real order handling and books that survive a crash, with invented prices and money."""

from service.exchanges.paper.exchange import PaperExchange
from service.exchanges.paper.settings import FeeRates, PaperSettings, PaperSymbol, PartialFills

__all__ = ["FeeRates", "PaperExchange", "PaperSettings", "PaperSymbol", "PartialFills"]
