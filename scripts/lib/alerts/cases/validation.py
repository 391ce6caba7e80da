"""What the rules of validation.yml are shown."""

from __future__ import annotations

from scripts.lib.alerts.cases.case import Case, Special
from scripts.lib.alerts.cases.series import events
from scripts.lib.alerts.cases.world import of
from telemetry import conventions as c

_ERRORS = of(c.VALIDATION_ERRORS, validation_type="range", field="price")
_NAN = of(c.NAN_REPLACEMENTS, field="confidence")

CASES = (
    Case(
        alert="HighValidationErrorRate",
        fault={_ERRORS: events(50)},
        below={_ERRORS: events(49)},
        fires="1m",
        resolved="12m",
        labels={"job": "fillpath"},
        description="50 fields of alerts were missing, unknown or wrong within 10 minutes.",
    ),
    Case(
        alert="HighNaNReplacementRate",
        fault={_NAN: events(10)},
        below={_NAN: events(9)},
        fires="1m",
        resolved="12m",
        labels={"job": "fillpath"},
        description="10 optional fields were NaN within 10 minutes, and were taken as absent.",
    ),
)

SPECIAL: tuple[Special, ...] = ()
