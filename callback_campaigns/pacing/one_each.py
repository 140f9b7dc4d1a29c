"""Whether agents take the calls that are dialled one for each of them; where they do not, nobody is dialled.

One call for each free agent abandons nobody as long as telephones are answered: it is what a campaign falls
back to when its account of abandoned calls is used up, and it goes on whatever dialling ahead has overdrawn.
Calls that find nobody all the same (telephones that ring in vain, customers who hang up at once) are counted
here by themselves: each is a debt, each call that was taken pays the cap back. At `MOST_OWED` the campaign
stands still. After a pause it is tried out whether agents answer again: one call at a time, and one more for
each that is taken; after `TRIAL` of them it dials as before. Another call in vain, and it stands still for
twice as long.
"""

MOST_OWED = 3.0
"""Abandoned calls beyond the cap, of those that were dialled one for each free agent."""
TRIAL = 5
FIRST_PAUSE = 60.0
LONGEST_PAUSE = 900.0


class OneEach:
    """The debts of calls that were one for each free agent. Times are monotonic seconds."""

    def __init__(self, cap: float) -> None:
        self._cap = cap
        self._owed = 0.0
        self._pause = 0.0
        self._until = float("-inf")
        self._taken = TRIAL

    def record(self, now: float, *, abandoned: bool) -> None:
        """Count such a call that somebody answered: an agent took it in time, or not."""
        if now < self._until:
            return  # it rang already when everything was stopped
        on_trial = self._taken < TRIAL
        if abandoned:
            self._owed += 1.0
            if on_trial or self._owed >= MOST_OWED:
                self._pause = min(LONGEST_PAUSE, 2 * self._pause or FIRST_PAUSE)
                self._until, self._taken = now + self._pause, 0
        elif on_trial:
            self._taken += 1
            if self._taken == TRIAL:
                self._owed = self._pause = 0.0
        else:
            self._owed = max(0.0, self._owed - self._cap)

    def at_once(self, now: float) -> int | None:
        """Return how many such calls may be on their way at a time; ``None`` for no limit, 0 for none."""
        if now < self._until:
            return 0
        return None if self._taken >= TRIAL else 1 + self._taken
