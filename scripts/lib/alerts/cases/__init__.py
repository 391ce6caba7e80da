"""The stories that every alert rule is shown, and the promtool files that tell them."""

from scripts.lib.alerts.cases import exchange, monitoring, objectives, orders, promises, security, validation, webhooks
from scripts.lib.alerts.cases.case import Case, Special

BY_FILE: dict[str, tuple[tuple[Case, ...], tuple[Special, ...]]] = {
    f"{module.__name__.rpartition('.')[2]}.yml": (module.CASES, module.SPECIAL)
    for module in (exchange, monitoring, objectives, orders, promises, security, validation, webhooks)
}
"""Cases and special stories by rule file."""
