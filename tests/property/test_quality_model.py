"""The life of a judgement: whatever people try, in what order, it is published and disputed once at most."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kernel.errors import Conflict
from telephony.domain.quality import State, Step, after

pytestmark = pytest.mark.unit


class Judgement(RuleBasedStateMachine):
    """Steps that were taken, beside what they led to."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State.DRAWN
        self.taken: list[Step] = []

    @rule(step=st.sampled_from(Step))
    def tried(self, step: Step) -> None:
        """Somebody tries a step."""
        may = {
            Step.SAVE: Step.PUBLISH not in self.taken,
            Step.PUBLISH: Step.PUBLISH not in self.taken,
            Step.DISPUTE: Step.PUBLISH in self.taken and Step.DISPUTE not in self.taken,
            Step.SETTLE: Step.DISPUTE in self.taken and Step.SETTLE not in self.taken,
        }[step]
        if not may:
            with pytest.raises(Conflict):
                after(self.state, step)
            return
        self.state = after(self.state, step)
        self.taken.append(step)

    @invariant()
    def stands_where_it_was_led(self) -> None:
        """The last step that counts says where it is."""
        last = self.taken[-1] if self.taken else None
        assert (
            self.state
            == {
                None: State.DRAWN,
                Step.SAVE: State.DRAFT,
                Step.PUBLISH: State.PUBLISHED,
                Step.DISPUTE: State.DISPUTED,
                Step.SETTLE: State.SETTLED,
            }[last]
        )


TestJudgement = Judgement.TestCase
