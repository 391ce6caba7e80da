"""One account's money: spot balances with their reservations, and net positions on linear swaps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from tests.simulator.model import Instrument, Side, SimBalance, SimOrder, SimPosition, SimTrade, total


class Account:
    """Spot orders reserve what they pay; swaps are margined in quote, cross, at one leverage."""

    def __init__(self, funds: Mapping[str, Decimal], leverage: Decimal = Decimal(10)) -> None:
        self._total: dict[str, Decimal] = dict(funds)
        self._reserved: dict[str, Decimal] = {}
        self.positions: dict[str, SimPosition] = {}
        self.leverage = leverage

    def set_funds(self, currency: str, amount: Decimal) -> None:
        """The whole balance, what is reserved included."""
        self._total[currency] = amount

    def balances(self, prices: Mapping[str, Decimal], open_orders: Iterable[SimOrder]) -> dict[str, SimBalance]:
        """By currency; what swaps use as margin counts as locked, unrealised profit as there."""
        margins: dict[str, Decimal] = {}
        profit: dict[str, Decimal] = {}
        for position in self.positions.values():
            quote, price = position.instrument.quote, prices[position.instrument.symbol]
            used = position.instrument.notional(abs(position.quantity), price) / self.leverage
            margins[quote] = margins.get(quote, Decimal(0)) + used
            profit[quote] = profit.get(quote, Decimal(0)) + position.upnl(price)
        for order in open_orders:
            if order.instrument.kind == "swap" and not order.reduce_only:
                quote = order.instrument.quote
                price = order.price or order.trigger or prices[order.symbol]
                margins[quote] = margins.get(quote, Decimal(0)) + self.margin(order.instrument, order.left, price)
        return {
            currency: SimBalance(
                free=amount + profit.get(currency, Decimal(0)) - self._locked(currency, margins),
                locked=self._locked(currency, margins),
            )
            for currency, amount in self._total.items()
        }

    def _locked(self, currency: str, margins: Mapping[str, Decimal]) -> Decimal:
        return self._reserved.get(currency, Decimal(0)) + margins.get(currency, Decimal(0))

    def margin(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        """What a quantity needs in quote, at the account's leverage."""
        return instrument.notional(quantity, price) / self.leverage

    def position(self, symbol: str) -> Decimal:
        """In contracts, negative when short."""
        found = self.positions.get(symbol)
        return found.quantity if found is not None else Decimal(0)

    def reducible(self, symbol: str, side: Side) -> Decimal:
        """How many contracts an order of that side can only reduce."""
        held = self.position(symbol)
        return max(Decimal(0), -held if side == "buy" else held)

    def reserve(self, order: SimOrder, amount: Decimal) -> None:
        currency = paid_currency(order)
        self._reserved[currency] = self._reserved.get(currency, Decimal(0)) + amount
        order.reserved += amount

    def release(self, order: SimOrder, amount: Decimal | None = None) -> None:
        """All that the order still holds, or `amount` of it."""
        amount = order.reserved if amount is None else min(amount, order.reserved)
        self._reserved[paid_currency(order)] = self._reserved.get(paid_currency(order), Decimal(0)) - amount
        order.reserved -= amount

    def settle(self, order: SimOrder, trade: SimTrade) -> None:
        """Move the money of one trade; its order's `filled` does not count it yet."""
        instrument = order.instrument
        if instrument.kind == "swap":
            self._move_position(instrument, trade)
        else:
            self.release(order, order.reserved * trade.quantity / order.left)
            sign = 1 if trade.side == "buy" else -1
            self._add(instrument.base, sign * trade.quantity)
            self._add(instrument.quote, -sign * trade.quantity * trade.price)
        self._add(trade.fee_currency, -trade.fee)

    def _move_position(self, instrument: Instrument, trade: SimTrade) -> None:
        position = self.positions.setdefault(instrument.symbol, SimPosition(instrument))
        change = trade.quantity if trade.side == "buy" else -trade.quantity
        before, after = position.quantity, position.quantity + change
        closed = min(abs(before), abs(change)) if before * change < 0 else Decimal(0)
        if closed:
            won = (trade.price - position.entry_price) * (1 if before > 0 else -1)
            self._add(instrument.quote, instrument.notional(closed, won))
        if before * after <= 0:
            position.entry_price = trade.price
        elif abs(after) > abs(before):
            paid = total([position.entry_price * abs(before), trade.price * abs(change)])
            position.entry_price = paid / abs(after)
        position.quantity = after
        if not after:
            del self.positions[instrument.symbol]

    def _add(self, currency: str, amount: Decimal) -> None:
        self._total[currency] = self._total.get(currency, Decimal(0)) + amount


def paid_currency(order: SimOrder) -> str:
    """What a spot order pays with."""
    return order.instrument.quote if order.side == "buy" else order.instrument.base
