"""The telemetry contract as data: every metric, label value, bucket, span and attribute name."""

from telemetry.conventions.instruments import *  # noqa: F403 - one name to import everything from
from telemetry.conventions.labels import *  # noqa: F403 - as above
from telemetry.conventions.metrics import *  # noqa: F403 - as above
from telemetry.conventions.spans import *  # noqa: F403 - as above
