"""What customers said about their complaint goes into the complaint itself (domain.md §1.3, C7; §3.5)."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.talk import TalkSet
from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.talk_store import Talk
from callback_campaigns.task_tables import CallbackTaskRow
from crm.complaint_end import ComplaintEnd
from crm.complaint_input import Contacted, NewCallback, Timeliness
from crm.domain.complaint import Verdict
from crm.domain.complaint_line import ProblemStatus
from kernel.access import Actor

SAYS: Mapping[str, ProblemStatus] = {
    "not_contacted": ProblemStatus.NOT_CONTACTED,
    "not_handled": ProblemStatus.NOT_HANDLED,
    "in_hand": ProblemStatus.IN_HAND,
    "solved": ProblemStatus.SOLVED,
}
"""Answers that say how the problem stands, the worst first."""
TIMELINESS = "timeliness"


class CaseResults:
    """Notes the callback with the complaint, which moves on by its own rules."""

    def __init__(self, complaints: ComplaintEnd) -> None:
        self._complaints = complaints

    async def concerns(self, session: AsyncSession, talk: Talk, one: TalkSet) -> str | None:
        """Return the complaint that a set of answers is about; ``None`` if they say nothing of it."""
        task = await session.get_one(CallbackTaskRow, one.task_id)
        said = standing(talk, one)
        return task.case_id if task.kind == CallbackType.COMPLAINT.value and said is not None else None

    async def tell(self, session: AsyncSession, actor: Actor, talk: Talk, one: TalkSet, case_id: str) -> None:
        """Note what was said with the complaint.

        Raises:
            HuifangError: its own rules refuse it: it is closed, or nothing can be asked about yet.
        """
        mine, verdict = one.mine(talk.answers), one.verdict
        said = standing(talk, one)
        values = {value for answer in mine.values() for value in answer.values}
        contacted = Contacted.YES if "contacted" in values else Contacted.UNKNOWN
        if "not_contacted" in values:
            contacted = Contacted.NO
        timely = next(
            (
                "satisfied" in mine[item.id].values
                for item in one.questionnaire.items
                if item.measure == TIMELINESS and item.id in mine
            ),
            None,
        )
        new = NewCallback(
            verdict=Verdict(verdict.value) if verdict is not None else Verdict.NEUTRAL,
            problem=said,
            timeliness=_timely(timely),
            contacted_in_time=contacted,
            call_id=talk.attempt_id,
            note=f"回访 {one.score if one.score is not None else ''}".strip(),
        )
        await self._complaints.call_back_in(session, actor, case_id, new, expected=None)


def standing(talk: Talk, one: TalkSet) -> ProblemStatus | None:
    """Return how the problem stands, as the customer said; the worst of what they said."""
    given = {value for answer in one.mine(talk.answers).values() for value in answer.values}
    return next((status for value, status in SAYS.items() if value in given), None)


def _timely(said: bool | None) -> Timeliness:
    if said is None:
        return Timeliness.UNKNOWN
    return Timeliness.TIMELY if said else Timeliness.LATE
