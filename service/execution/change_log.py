"""One log line an order and end, for those who follow a service by its log."""

from __future__ import annotations

import logging

from service.core.orders import FINAL
from service.execution.register import Change, LiveOrder

log = logging.getLogger(__name__)


def log_change(_: LiveOrder, change: Change) -> None:
    """INFO for an order's end, DEBUG for every other step."""
    before, after = change.before, change.after
    if after.status is before.status:
        return
    level = logging.INFO if after.status in FINAL and change.conclusive else logging.DEBUG
    if log.isEnabledFor(level):
        log.log(
            level,
            "order %s",
            after.status.value,
            extra={
                "order_id": after.id,
                "client_order_id": after.client_order_id,
                "exchange_order_id": after.exchange_order_id,
                "account": after.account,
                "symbol": after.symbol,
                "side": None if after.side is None else after.side.value,
                "filled_qty": f"{after.filled_qty:f}",
                "reason": after.reason,
            },
        )
