"""Turns the document into a typed alert, or names every field that is wrong."""

from __future__ import annotations

from service.core.alerts import FIELDS, parse_alert
from service.core.refusals import Refusal
from service.intake.request import Intake
from telemetry import conventions as c
from telemetry.facade import Telemetry

_FIELDS = frozenset(FIELDS)


class Validate:
    span = c.SPAN_ORDER_VALIDATE

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._normalized = telemetry.counters(c.NORMALIZATION_OPERATIONS, "operation_type")

    def __call__(self, intake: Intake) -> None:
        try:
            parsed = parse_alert(intake.document, source=intake.source_name)
        except Refusal as refusal:
            for error in refusal.errors:
                field = error.field if error.field in _FIELDS else "unknown_field"
                self._telemetry.add(c.VALIDATION_ERRORS, validation_type=error.kind, field=field)
            raise
        intake.alert = parsed.alert
        intake.validated = True
        for field in parsed.nan_replaced:
            self._telemetry.add(c.NAN_REPLACEMENTS, field=field)
        for operation in parsed.operations:
            self._normalized[operation].add()
