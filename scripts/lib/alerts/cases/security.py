"""What the rules of security.yml are shown."""

from __future__ import annotations

from scripts.lib.alerts.cases.case import Case, Special
from scripts.lib.alerts.cases.series import events, flat
from scripts.lib.alerts.cases.world import denials

_LISTED, _ELSEWHERE = denials("default", "address"), denials("unknown", "address")
_OPERATOR = denials("unknown", "operator_token")

CASES = (
    Case(
        alert="UnauthorizedIPAttempts",
        fault={_LISTED: events(3), _ELSEWHERE: flat(), _OPERATOR: events(2)},
        below={_LISTED: events(2), _ELSEWHERE: flat(), _OPERATOR: events(2)},
        fires="1m",
        resolved="7m",
        labels={"job": "fillpath"},
        description="5 requests within 5 minutes came from an address that is not listed, "
        "or without the operator token.",
    ),
    Case(
        alert="HighRateLimitRejections",
        fault={denials("default", "rate_limited"): flat(), denials("unknown", "rate_limited"): events(50)},
        below={denials("default", "rate_limited"): flat(), denials("unknown", "rate_limited"): events(49)},
        fires="1m",
        resolved="7m",
        labels={"job": "fillpath"},
        description="50 requests were refused by a rate limit within 5 minutes.",
    ),
)

SPECIAL: tuple[Special, ...] = ()
