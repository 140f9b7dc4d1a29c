"""Abandonment: live answers without a person within two seconds, over a rolling window, under a cap.

Only what people answered counts, answering machines neither above nor below the line (47 CFR
64.1200(a)(7), Ofcom's statement on persistent misuse). The budget is an account: each live answer pays
``cap`` in, each abandoned call takes one out. It starts empty, so a campaign that only dials with a
positive balance is never above its cap, from its first call on. What can be saved up is limited:
a quiet morning does not pay for an afternoon of silent calls. A debt is forgotten with its window.
"""

from collections import deque

SLICES = 288
"""Parts of the window that are forgotten one by one."""


class AbandonmentBudget:
    """Counts live answers and says how many may yet be abandoned."""

    def __init__(self, *, cap: float, window_seconds: float, savings: float) -> None:
        self._cap = cap
        self._window = window_seconds
        self._savings = savings
        self._slice = window_seconds / SLICES
        self._slices: deque[list[int]] = deque()  # [number of the slice, live, abandoned]
        self._live = 0
        self._abandoned = 0
        self._balance = 0.0

    def record(self, now: float, *, abandoned: bool) -> None:
        """Count one live answer: it was connected, or it was abandoned."""
        number = int(now // self._slice)
        if not self._slices or self._slices[-1][0] < number:
            self._slices.append([number, 0, 0])
        last = self._slices[-1]
        last[1] += 1
        last[2] += abandoned
        self._live += 1
        self._abandoned += abandoned
        self._balance = min(self._savings, self._balance + self._cap) - abandoned
        self._forget(now)

    def credit(self, now: float) -> float:
        """Return how many calls may yet be abandoned; negative when the cap is exceeded."""
        self._forget(now)
        return min(self._balance, self._cap * self._live - self._abandoned)

    def counts(self, now: float) -> tuple[int, int]:
        """Return live answers and abandoned calls in the window."""
        self._forget(now)
        return self._live, self._abandoned

    def rate(self, now: float) -> float:
        """Return abandoned ÷ live answers in the window; 0 over nothing."""
        self._forget(now)
        return self._abandoned / self._live if self._live else 0.0

    def _forget(self, now: float) -> None:
        oldest = int((now - self._window) // self._slice)
        while self._slices and self._slices[0][0] <= oldest:
            _, live, abandoned = self._slices.popleft()
            self._live -= live
            self._abandoned -= abandoned
            if self._balance < 0:
                self._balance = min(0.0, self._balance + abandoned)
