"""Token buckets: so many events a second on average, so many at once."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

_ROUNDING = 1e-6  # of a token: what the float arithmetic of times may lose
_EVICTION_SAMPLE = 8


class TokenBucket:
    """Holds up to `burst` tokens and gains `rate_per_s` of them a second; starts full.

    Times are seconds of a clock that does not go back; where it does, no time has passed.
    """

    __slots__ = ("_at_s", "_burst", "_rate", "_tokens")

    def __init__(self, rate_per_s: float, burst: float) -> None:
        if rate_per_s <= 0 or burst < 1:
            raise ValueError(f"a bucket needs a rate above 0 and a burst of at least 1, got {rate_per_s} and {burst}")
        self._rate = rate_per_s
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at_s: float | None = None

    def has(self, now_s: float) -> bool:
        """Whether a token is there."""
        return self.level(now_s) >= 1 - _ROUNDING

    def take(self, now_s: float) -> bool:
        """Take a token; False, and nothing is taken, when there is none."""
        level = self.level(now_s)
        self._tokens = level
        self._at_s = now_s if self._at_s is None else max(now_s, self._at_s)
        if level < 1 - _ROUNDING:
            return False
        self._tokens = max(level - 1, 0.0)
        return True

    def wait_s(self, now_s: float) -> float:
        """Seconds until a token is there."""
        return max(1 - self.level(now_s), 0.0) / self._rate

    def level(self, now_s: float) -> float:
        """Tokens at `now_s`, 0 to burst."""
        passed_s = 0.0 if self._at_s is None else max(now_s - self._at_s, 0.0)
        return min(self._tokens + passed_s * self._rate, self._burst)

    def is_full(self, now_s: float) -> bool:
        """Whether it is as good as new."""
        return self.level(now_s) >= self._burst - _ROUNDING


class KeyedBuckets:
    """A bucket a key, in bounded memory: made to count failures per address after they happened.

    A key that was never charged has a full bucket and takes no memory, and a bucket that is full again is forgotten.
    Beyond `max_keys` the fullest of those that were not asked for the longest is given up.
    """

    def __init__(self, rate_per_s: float, burst: float, max_keys: int) -> None:
        if max_keys < 1:
            raise ValueError(f"at least one key is needed, got {max_keys}")
        TokenBucket(rate_per_s, burst)  # refuse bad numbers now, not at the first charge
        self._rate = rate_per_s
        self._burst = burst
        self._max_keys = max_keys
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def available(self, key: str, now_s: float) -> bool:
        """Whether the key has a token left; takes none."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return True
        if bucket.is_full(now_s):
            del self._buckets[key]
            return True
        self._buckets.move_to_end(key)
        return bucket.has(now_s)

    def charge(self, key: str, now_s: float) -> None:
        """Take one of the key's tokens, where it has one."""
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._max_keys:
                self._evict(now_s)
            bucket = self._buckets[key] = TokenBucket(self._rate, self._burst)
        self._buckets.move_to_end(key)
        bucket.take(now_s)

    def _evict(self, now_s: float) -> None:
        oldest = islice(self._buckets.items(), _EVICTION_SAMPLE)
        key, _ = max(oldest, key=lambda item: item[1].level(now_s))
        del self._buckets[key]
