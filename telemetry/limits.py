"""How much of one span and of one log record is kept: part of the promise of bounded memory.

By the names that OpenTelemetry's declarative configuration has for them.
"""

from __future__ import annotations

SPAN = {
    "attribute_count_limit": 64,
    "attribute_value_length_limit": 4_096,
    "event_count_limit": 64,
    "event_attribute_count_limit": 16,
    "link_count_limit": 16,
    "link_attribute_count_limit": 16,
}
LOG_RECORD = {"attribute_count_limit": 64, "attribute_value_length_limit": 8_192}
