"""A history as a centre has it after some hours."""

from random import Random

from callback_campaigns.pacing import History


def taught(
    *, answer_ratio: float = 0.4, talk_mean: float = 150.0, seed: int = 1, dials: int = 600
) -> History:
    """Return what so many dials have taught."""
    random = Random(seed)
    history = History()
    for _ in range(dials):
        if random.random() < answer_ratio:
            history.dial_answered(random.uniform(4.0, 20.0))
            history.talk_ended(random.expovariate(1.0 / talk_mean))
            history.wrap_up_ended(random.uniform(10.0, 40.0))
        else:
            history.dial_failed(random.choice((4.0, 30.0)))
    return history
