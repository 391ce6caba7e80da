"""Where a label set leads to, remembered as it was given, so that the rules are asked once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from telemetry.conventions import Instrument
    from telemetry.facade import Labels

# Far more label sets than the rules let through; without it, keywords in ever new orders would be remembered for ever.
_SIZE = 65_536

T = TypeVar("T")


class Memo(dict[tuple[str, ...], T]):
    """Found by one look-up of the instrument's name, the labels' names and their values, in the order of the call.

    Only label sets that show as they are given are remembered: a value once shown keeps its place for ever, so that
    the answer can never change, and there are no more of them than series. Any other value may show differently later.
    """

    def remember(self, instrument: Instrument, labels: Labels, key: tuple[str, ...], target: T) -> bool:
        """Whether it will be found; `key` are the values as they show, in the order of the instrument's labels."""
        if len(self) < _SIZE and tuple(labels[name] for name in instrument.label_names) == key:
            self[instrument.name, *labels, *labels.values()] = target
            return True
        return False
