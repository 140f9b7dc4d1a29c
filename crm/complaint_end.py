"""How a complaint ends: called back, replied to, closed or not filed, analysed (domain.md §1.3)."""

from sqlalchemy.ext.asyncio import AsyncSession

from crm import timeline
from crm.cases import tidy_text
from crm.complaint_input import (
    MAX_NAME,
    MAX_NOTE,
    MAX_WHY,
    Analysis,
    NewCallback,
    id_of,
    timeliness_of,
    why_of,
)
from crm.complaint_read import ComplaintReader, is_open
from crm.complaint_store import ComplaintStore, Opened, to_line
from crm.complaint_tables import ComplaintCallback
from crm.complaint_views import ComplaintView
from crm.domain import line_steps
from crm.domain.case import CaseStatus
from crm.domain.complaint import (
    Closing,
    NextStep,
    NotYet,
    Said,
    Verdict,
    check_closing,
    check_not_filed,
    judge_callback,
    may_be_asked,
)
from crm.domain.complaint_line import LineStatus, ProblemStatus
from crm.domain.forwarded import ReplyWay
from crm.events_cases import CallbackUnsolved, CaseClosed, EscalationOwed
from crm.forwarded import NewReply, owes_reply, record_reply
from crm.handoffs import Handoffs
from crm.timeline import Channel
from kernel.access import Actor, Permission
from kernel.errors import Conflict, Invalid
from kernel.ids import new_ulid

MAX_ANALYSIS = 2000
NOT_REACHED_MAX = 999


class ComplaintEnd:
    """Callbacks and closing, for customer service; the waiver and CN for its manager."""

    def __init__(self, store: ComplaintStore, reader: ComplaintReader, handoffs: Handoffs) -> None:
        self._store = store
        self._reader = reader
        self._handoffs = handoffs

    async def call_back(self, actor: Actor, case_id: str, expected: int, new: NewCallback) -> ComplaintView:
        """C7: note what the customer said; the view's ``next_step`` says what has to follow.

        Only «solved» closes a line. Dissatisfied: a new round, or an escalation from round 2 on or when
        compensation is mentioned. Not reached: nothing moves, the callback is tried again.

        Raises:
            TooEarly: nothing can be asked about yet.
            Invalid: what was said contradicts itself, or names a line of another complaint.
        """
        async with self._store.database.transaction() as session:
            await self.call_back_in(session, actor, case_id, new, expected=expected)
        return await self._view(actor, case_id)

    async def call_back_in(
        self,
        session: AsyncSession,
        actor: Actor,
        case_id: str,
        new: NewCallback,
        *,
        expected: int | None,
        on_timeline: bool = True,
    ) -> None:
        """Do :meth:`call_back` in the caller's transaction.

        Args:
            on_timeline: not where whoever talked has put the same talk on the customer's time line.
        """
        actor.need(Permission.CASES_REGISTER)
        id_of(new.call_id, "call_id")
        note = tidy_text(new.note, field="note", limit=MAX_NOTE, required=False)
        async with self._store.changing_in(session, actor, case_id, expected=expected) as opened:
            opened.need_whole()
            opened.check_open()
            problems = _problems(opened, new)
            said = judge_callback(
                new.verdict,
                problems,
                round_=opened.header.round,
                compensation_mentioned=new.compensation_mentioned,
            )
            timeliness = timeliness_of(new)
            leads_to = await self._follow(opened, new, said, note)
            row = ComplaintCallback(
                id=new_ulid(),
                case_id=case_id,
                round=opened.header.round - (1 if said.new_round else 0),
                at=opened.now,
                by=actor.name,
                by_id=actor.user_id,
                call_id=new.call_id,
                verdict=new.verdict.value,
                lines={line_id: problem.value for line_id, problem in said.lines.items()},
                satisfaction=(new.satisfaction or new.verdict).value,
                timeliness=timeliness.value if timeliness else None,
                contacted_in_time=new.contacted_in_time.value,
                compensation_mentioned=new.compensation_mentioned,
                note=note,
                leads_to=leads_to.value,
            )
            opened.session.add(row)
            opened.note(
                "complaint.call_back",
                after={"verdict": new.verdict, "lines": row.lines, "leads_to": leads_to},
                why=note,
            )
            await opened.session.flush()
            if on_timeline:
                await timeline.add(
                    opened.session,
                    opened.header.customer_id,
                    at=opened.now,
                    channel=Channel.CALLBACK,
                    direction="out",
                    ref=row.id,
                    result=new.verdict.value,
                    agent=actor.name,
                    detail={"no": opened.header.no, "case_id": case_id, "leads_to": leads_to.value},
                )

    async def _follow(self, opened: Opened, new: NewCallback, said: Said, note: str) -> NextStep:
        row, header = opened.row, opened.header
        if new.verdict is Verdict.NOT_REACHED:
            row.not_reached = min(row.not_reached + 1, NOT_REACHED_MAX)
            return NextStep.CALL_AGAIN
        row.not_reached = 0
        unsolved = False
        for line in opened.lines:
            problem = said.lines.get(line.id)
            if problem is None:
                continue
            moved = line_steps.called_back(to_line(line), problem, opened.now)
            await opened.move(line, moved, "complaint.line_called_back", problem=problem)
            if moved.line.status is LineStatus.UNSOLVED:
                unsolved = True
                opened.tell(
                    CallbackUnsolved(
                        at=opened.now,
                        case_id=header.id,
                        no=header.no,
                        line_id=line.id,
                        department=None if line.confidential else line.department_code,
                        person_id=line.person_id,
                        specialist_id=header.specialist_id,
                        problem=problem.value,
                        round=header.round,
                        note=note,
                    )
                )
        dissatisfied = new.verdict is Verdict.DISSATISFIED
        row.called_back_at = None if unsolved or dissatisfied else opened.now
        row.waived_at = row.waived_by = row.waived_why = None
        row.satisfaction = (new.satisfaction or new.verdict).value
        row.timeliness = new.timeliness.value if new.timeliness else None
        row.contacted_in_time = new.contacted_in_time.value
        if said.new_round:
            header.round += 1
        if said.escalate and not is_open(await self._reader.escalation(opened.session, header.id)):
            why = "compensation_mentioned" if new.compensation_mentioned else "dissatisfied"
            owe_escalation(opened, why)
        if row.escalation_owed:
            return NextStep.ESCALATE
        if unsolved:
            return NextStep.NEW_ROUND
        if any(line.status.is_open for line in opened.plain()):
            return NextStep.WAIT
        return NextStep.REPLY_TO_SOURCE if owes_reply(header) else NextStep.CLOSE

    async def _view(self, actor: Actor, case_id: str) -> ComplaintView:
        async with self._store.database.session() as session:
            return await self._reader.view(session, actor, case_id)

    async def reply_to_source(self, actor: Actor, case_id: str, expected: int, text: str) -> ComplaintView:
        """Note what the forwarding hotline was told; such an order needs it to close (domain.md §1.13).

        Raises:
            NoReplyOwed: nobody forwarded it, or it was told already.
        """
        actor.need(Permission.CASES_REGISTER)
        new = NewReply(way=ReplyWay.PHONE, text=text)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.need_whole()
            opened.check_open()
            await record_reply(
                self._store.limits.book, opened.session, actor, opened.header, new, now=opened.now
            )
            opened.note("complaint.reply_to_source", after={"external_no": opened.header.external_no})
        return await self._view(actor, case_id)

    async def waive_callback(self, actor: Actor, case_id: str, expected: int, reason: str) -> ComplaintView:
        """Do without the callback: the manager's decision, with reason; lines that are done close with it.

        Raises:
            NotYet: a line is not done.
        """
        actor.need(Permission.CASES_DECIDE)
        reason = why_of(reason)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.need_whole()
            opened.check_open()
            lines = opened.plain()
            # What else is owed is asked for at closing.
            check_closing(Closing(lines=lines, called_back=False, waived=True))
            opened.row.waived_at, opened.row.waived_by = opened.now, actor.name
            opened.row.waived_why = reason
            for line in opened.lines:
                if line.status == LineStatus.DONE.value:
                    await opened.move(
                        line, line_steps.waive(to_line(line), opened.now), "complaint.line_waived"
                    )
            opened.note("complaint.waive_callback", after={"waived": True}, why=reason)
        return await self._view(actor, case_id)

    async def close(
        self, actor: Actor, case_id: str, expected: int, *, analysis: Analysis | None = None
    ) -> ComplaintView:
        """C8: settle a complaint.

        Raises:
            NotYet: the field says for want of what.
        """
        actor.need(Permission.CASES_REGISTER)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.need_whole()
            opened.check_open()
            escalation = await self._reader.escalation(opened.session, case_id)
            check_closing(
                Closing(
                    lines=opened.plain(),
                    called_back=opened.row.called_back_at is not None,
                    waived=opened.row.waived_at is not None,
                    reply_owed=owes_reply(opened.header),
                    escalation_owed=opened.row.escalation_owed,
                    escalation_open=is_open(escalation),
                )
            )
            if analysis is not None:
                _analyse(opened, analysis)
            opened.final = CaseStatus.CLOSED
            opened.row.closed_by = actor.name
            opened.note("complaint.close", after={"round": opened.header.round})
            opened.tell(_closed(opened, not_filed=False))
        return await self._view(actor, case_id)

    async def not_file(self, actor: Actor, case_id: str, expected: int, reason: str) -> ComplaintView:
        """CN: it becomes no case; the manager alone decides that, with reason.

        Raises:
            NotYet: a department has accepted it already, or the hotline that forwarded it waits for a reply.
        """
        actor.need(Permission.CASES_DECIDE)
        reason = why_of(reason)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.need_whole()
            opened.check_open()
            check_not_filed(opened.plain())
            if owes_reply(opened.header):
                raise NotYet("the hotline that forwarded it has no reply yet", field="reply_to_source")
            if is_open(await self._reader.escalation(opened.session, case_id)):
                raise Conflict("it is a major complaint", field="escalation")
            opened.final = CaseStatus.NOT_FILED
            opened.row.not_filed_why, opened.row.not_filed_by = reason, actor.name
            # Nobody signs for what is no case.
            await self._handoffs.take_back(
                opened.session, case_id, actor, f"不立案：{reason}"[:MAX_WHY], at=opened.now
            )
            opened.note("complaint.not_file", after={"filed": False}, why=reason)
            opened.tell(_closed(opened, not_filed=True))
        return await self._view(actor, case_id)

    async def analyse(self, actor: Actor, case_id: str, expected: int, analysis: Analysis) -> ComplaintView:
        """Write the analysis 客诉分析, also after the closing: month end asks for it."""
        actor.need(Permission.CASES_REGISTER)
        async with self._store.changing(actor, case_id, expected=expected) as opened:
            opened.need_whole()
            if opened.header.closed_at is not None:
                opened.final = CaseStatus(opened.header.status)
            _analyse(opened, analysis)
        return await self._view(actor, case_id)


def owe_escalation(opened: Opened, reason: str) -> None:
    """Note that the complaint has to become a major one, and tell who tracks it."""
    opened.row.escalation_owed, opened.row.escalation_why = True, reason
    opened.tell(
        EscalationOwed(
            at=opened.now,
            case_id=opened.header.id,
            no=opened.header.no,
            specialist_id=opened.header.specialist_id,
            reason=reason,
        )
    )


def _problems(opened: Opened, new: NewCallback) -> dict[str, ProblemStatus]:
    named = dict(new.lines)
    known = {line.id for line in opened.lines}
    if not set(named) <= known or len(named) != len(new.lines):
        raise Invalid("no such line of this complaint", field="lines")
    rules = opened.plain()
    asked = [line.line_id for line in rules if may_be_asked(line, opened.now)]
    if new.verdict is Verdict.NOT_REACHED:
        return named
    if not asked and not named and any(line.status.is_open for line in rules):
        raise line_steps.TooEarly("no department has reported its part done, no visit is over", field="lines")
    if set(asked) - set(named) and new.problem is None:
        raise Invalid("say how the problem stands", field="problem")
    whole = new.problem or ProblemStatus.SOLVED
    return {line_id: named.get(line_id, whole) for line_id in dict.fromkeys([*asked, *named])}


def _analyse(opened: Opened, analysis: Analysis) -> None:
    row = opened.row
    row.root_cause = tidy_text(analysis.root_cause, field="root_cause", limit=MAX_ANALYSIS)
    row.preventive_step = tidy_text(analysis.preventive_step, field="preventive_step", limit=MAX_ANALYSIS)
    row.analysis_owner = tidy_text(analysis.owner, field="owner", limit=MAX_NAME)
    row.analysed_at, row.analysed_by = opened.now, opened.actor.name
    opened.note("complaint.analyse", after={"root_cause": row.root_cause, "owner": row.analysis_owner})


def _closed(opened: Opened, *, not_filed: bool) -> CaseClosed:
    return CaseClosed(
        at=opened.now,
        case_id=opened.header.id,
        no=opened.header.no,
        customer_id=opened.header.customer_id,
        round=opened.header.round,
        satisfaction=opened.row.satisfaction,
        departments=opened.departments(),
        specialist_id=opened.header.specialist_id,
        not_filed=not_filed,
    )
