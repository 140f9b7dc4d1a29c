"""What customers said of their complaint or repair goes into the case itself (domain.md §1.3 C7, §1.5 R6)."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.questionnaire import Answer
from callback_campaigns.domain.talk import TalkSet, spelled
from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.talk_store import Talk
from callback_campaigns.task_tables import CallbackTaskRow
from crm import complaint_input, repair_input
from crm.complaint_end import ComplaintEnd
from crm.complaint_input import Contacted, Timeliness
from crm.domain.complaint import Verdict
from crm.domain.complaint_line import ProblemStatus
from crm.domain.repair_terms import InTime
from crm.repairs import Repairs
from kernel.access import Actor

COMPLAINT: Mapping[str, ProblemStatus] = {
    "not_contacted": ProblemStatus.NOT_CONTACTED,
    "not_handled": ProblemStatus.NOT_HANDLED,
    "in_hand": ProblemStatus.IN_HAND,
    "solved": ProblemStatus.SOLVED,
}
"""Answers that say how the problem stands, the worst first (domain.md §3.5)."""
REPAIR: Mapping[str, ProblemStatus] = {
    "repaired": ProblemStatus.SOLVED,
    "not_repaired": ProblemStatus.NOT_HANDLED,
    "must_return": ProblemStatus.IN_HAND,
}
"""The same of a repair (§3.6): that nobody called within a day counts only while it is not repaired."""
SAYS = {CallbackType.COMPLAINT.value: COMPLAINT, CallbackType.REPAIR.value: REPAIR}
TIMELINESS = "timeliness"
SAID_SO = "回访时客户说已修好"


class CaseResults:
    """Notes the callback with the case, which moves on by its own rules."""

    def __init__(self, complaints: ComplaintEnd, repairs: Repairs) -> None:
        self._complaints = complaints
        self._repairs = repairs

    async def has_case(self, session: AsyncSession, one: TalkSet) -> bool:
        """Tell whether a set of answers is about a complaint or a repair."""
        return (await session.get_one(CallbackTaskRow, one.task_id)).case_id is not None

    async def concerns(self, session: AsyncSession, talk: Talk, one: TalkSet) -> str | None:
        """Return the case that a set of answers is about; ``None`` if they say nothing of it."""
        task = await session.get_one(CallbackTaskRow, one.task_id)
        return task.case_id if task.kind == one.code and standing(talk, one) is not None else None

    async def tell(self, session: AsyncSession, actor: Actor, talk: Talk, one: TalkSet, case_id: str) -> None:
        """Note what was said with the case.

        Raises:
            HuifangError: its own rules refuse it: it is closed, or nothing can be asked about yet.
        """
        if one.code == CallbackType.REPAIR.value:
            await self._repairs.call_back_in(
                session, actor, case_id, _of_repair(talk, one), on_timeline=False
            )
        else:
            new = _of_complaint(talk, one)
            await self._complaints.call_back_in(
                session, actor, case_id, new, expected=None, on_timeline=False
            )


def standing(talk: Talk, one: TalkSet) -> ProblemStatus | None:
    """Return how the problem stands, as the customer said; the worst of what they said."""
    given = _given(talk, one)
    found = next((status for value, status in SAYS.get(one.code, {}).items() if value in given), None)
    repair = one.code == CallbackType.REPAIR.value
    if repair and found not in {None, ProblemStatus.SOLVED} and "not_contacted" in given:
        return ProblemStatus.NOT_CONTACTED
    return found


def _of_complaint(talk: Talk, one: TalkSet) -> complaint_input.NewCallback:
    mine, given = one.mine(talk.answers), _given(talk, one)
    contacted = Contacted.YES if "contacted" in given else Contacted.UNKNOWN
    if "not_contacted" in given:
        contacted = Contacted.NO
    timely = next(
        (
            "satisfied" in mine[item.id].values
            for item in one.questionnaire.items
            if item.measure == TIMELINESS and item.id in mine
        ),
        None,
    )
    return complaint_input.NewCallback(
        verdict=_verdict(one),
        problem=standing(talk, one),
        timeliness=_timely(timely),
        contacted_in_time=contacted,
        call_id=talk.attempt_id,
        note=_score(one),
    )


def _of_repair(talk: Talk, one: TalkSet) -> repair_input.NewCallback:
    given, problem = _given(talk, one), standing(talk, one)
    assert problem is not None
    bad = [
        spelled(item, answer)
        for name, answer in one.mine(talk.answers).items()
        if name in talk.bad and (item := one.item(name)) is not None
    ]
    return repair_input.NewCallback(
        problem=problem,
        verdict=_verdict(one),
        contacted_in_time=_in_time(given, yes={"contacted"}, no={"not_contacted"}),
        timely=_in_time(given, yes={"on_time"}, no={"late", "never_came"}),
        remark="；".join([_score(one), *bad])[: repair_input.MAX_REMARK],
        no_visit_reason=SAID_SO if problem is ProblemStatus.SOLVED else "",
        call_id=talk.attempt_id,
    )


def _given(talk: Talk, one: TalkSet) -> set[str]:
    answers: Mapping[str, Answer] = one.mine(talk.answers)
    return {value for answer in answers.values() for value in answer.values}


def _verdict(one: TalkSet) -> Verdict:
    return Verdict(one.verdict.value) if one.verdict is not None else Verdict.NEUTRAL


def _score(one: TalkSet) -> str:
    return f"回访 {one.score if one.score is not None else ''}".strip()


def _in_time(given: set[str], *, yes: set[str], no: set[str]) -> InTime:
    if given & no:
        return InTime.NO
    return InTime.YES if given & yes else InTime.UNKNOWN


def _timely(said: bool | None) -> Timeliness:
    if said is None:
        return Timeliness.UNKNOWN
    return Timeliness.TIMELY if said else Timeliness.LATE
