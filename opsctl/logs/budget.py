"""Limit the rate of FilterLogEvents calls: one token bucket for all groups of a tail.

A refusal halves the rate and an answer raises it a little (AIMD), so several tails share a quota.
"""

from typing import Self

# Per second, account and Region; not adjustable. Source: CloudWatch Logs quotas,
# docs.aws.amazon.com.
_QUOTA = {
    "us-east-1": 25.0,
    "ap-northeast-3": 5.0,
    "ap-southeast-3": 5.0,
    "ca-west-1": 5.0,
    "eu-central-1": 5.0,
    "il-central-1": 5.0,
}
_SLOWEST = 0.2


def quota(region: str) -> float:
    return _QUOTA.get(region, 10.0)


class Budget:
    """Allows `rate` calls a second, and up to `burst` at once after an idle time."""

    def __init__(self, rate: float, *, burst: float | None = None) -> None:
        self.ceiling = self.rate = rate
        self.burst = max(1.0, rate if burst is None else burst)
        self._tokens = self.burst
        self._at: float | None = None

    @classmethod
    def of(cls, region: str, rate: float | None, *, following: bool) -> Self:
        """Return a budget.

        A follower leaves half of the quota to others; other readings may use all.
        """
        if rate is not None:
            return cls(rate)
        return cls(quota(region) / 2) if following else cls(quota(region), burst=50)

    def wait(self, now: float) -> float:
        """Return the seconds until the next call is allowed."""
        if self._at is not None:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        # A little tolerance: after sleeping exactly the returned time, the token must be available.
        return 0.0 if self._tokens >= 1 - 1e-6 else (1 - self._tokens) / self.rate

    def spend(self) -> None:
        self._tokens -= 1

    def throttled(self) -> None:
        self.rate = max(min(_SLOWEST, self.ceiling), self.rate / 2)
        self._tokens = min(self._tokens, 0.0)

    def answered(self) -> None:
        self.rate = min(self.ceiling, self.rate + self.ceiling / 50)
