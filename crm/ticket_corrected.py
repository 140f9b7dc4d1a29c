"""Tickets whose customer took the answer back: withdrawn while nobody has begun, else it stands on them.

A ticket is on a department's desk while the call is still on (CB-5), so that the customer, or who writes the
answer down, may say otherwise a moment later.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain import ticket as rules
from crm.domain.case import CaseStatus
from crm.events_tickets import TicketClosed
from crm.handoffs import Handoffs
from crm.notices.events import NoticeWanted
from crm.notices.links import case_page
from crm.ticket_read import live_departments
from crm.ticket_store import OpenedTicket, TicketStore
from kernel.access import Actor, Permission

MAX_ANSWER = 400
CORRECTED = "答案已更正"
WITHDRAWN = "withdrawn"


class TicketCorrections:
    """Carries corrections into tickets."""

    def __init__(self, store: TicketStore, handoffs: Handoffs) -> None:
        self._store = store
        self._handoffs = handoffs

    async def correct_in(
        self, session: AsyncSession, actor: Actor, case_id: str, *, said: str, why: str = CORRECTED
    ) -> bool:
        """Note in the caller's transaction that the answer is another one; return whether it was withdrawn.

        A ticket that somebody works on stays, with what the customer says now; so does one that has become a
        complaint, whose specialist is told.

        Args:
            said: the answer that holds now, in words; empty if there is none.

        Raises:
            Forbidden: the role registers no cases.
            NotFound: no such ticket.
        """
        actor.need(Permission.CASES_REGISTER)
        async with self._store.changing_in(session, actor, case_id, expected=None) as opened:
            if rules.is_untouched(opened.domain()):
                await self._withdraw(opened, said, why)
                return True
            note = f"{opened.row.answer}（{_now(said, why)}）"
            if opened.header.status == CaseStatus.CLOSED.value or opened.row.answer.endswith(
                _now(said, why) + "）"
            ):
                return False
            opened.note(
                "ticket.answer_corrected",
                before={"answer": opened.row.answer},
                after={"answer": said},
                why=why,
            )
            opened.row.answer = note[-MAX_ANSWER:]
            self._tell(opened, said, why)
            return False

    async def _withdraw(self, opened: OpenedTicket, said: str, why: str) -> None:
        header, row = opened.header, opened.row
        reason = _now(said, why)
        await self._handoffs.take_back(opened.session, header.id, opened.actor, reason, at=opened.now)
        for part in opened.parts:
            part.settled_why = reason[:MAX_ANSWER]
        # The same answer given once more is a ticket once more, and this one counts for nothing (CB-6).
        row.question_id, row.problem_key = None, f"{WITHDRAWN}|{header.id}"
        row.closed_by = opened.actor.name
        await opened.move(rules.withdraw(opened.domain()), "ticket.withdrawn", why=reason)
        opened.tell(
            TicketClosed(
                at=opened.now,
                case_id=header.id,
                no=header.no,
                customer_id=header.customer_id,
                specialist_id=header.specialist_id,
            )
        )

    @staticmethod
    def _tell(opened: OpenedTicket, said: str, why: str) -> None:
        header, row = opened.header, opened.row
        opened.tell(
            NoticeWanted(
                at=opened.now,
                code="ticket.corrected",
                key=f"ticket.corrected|{header.id}|{said}"[:120],
                parameters={"no": row.converted_no or header.no, "said": _now(said, why)[:200]},
                link=case_page(row.converted_to or header.id),
                owner_department=header.department_code,
                specialist_user_id=header.specialist_id,
                also=tuple(f"department:{code}" for code in live_departments(opened.parts)),
            )
        )


def _now(said: str, why: str) -> str:
    return f"{why}：{said}" if said else why
