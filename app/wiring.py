"""Who hears of which facts.

Among them what joins packages that do not know each other: facts of telephony become entries of the CRM.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.masked_reads import called_for
from crm.limit_copies import DEADLINE_FACTS, repeat_deadline
from crm.reroute_check import REROUTE_FACTS, propose_reroute
from crm.service import ContactLog
from crm.views import CallContact
from kernel.events import Event
from kernel.outbox import FactHandler
from telephony.agent_tables import AgentRow
from telephony.domain.call import EndReason
from telephony.events import CallEnded, DispositionSaved
from telephony.history import link_customer
from telephony.tables import CallRow

CONTACT_FACTS: tuple[type[Event], ...] = (CallEnded, DispositionSaved)


async def record_contact(session: AsyncSession, fact: Event) -> None:
    """Put a finished call, or what the agent noted about one, on the customer's time line."""
    log = ContactLog()
    match fact:
        case CallEnded():
            about = await called_for(session, fact.call_id)
            if about is not None and fact.end_reason == EndReason.NO_AGENT.value:
                return  # Whoever asked for it did not answer: the customer was not called.
            agent = await session.get(AgentRow, fact.agent_id) if fact.agent_id else None
            owners = await log.record_call(
                session,
                CallContact(
                    call_id=fact.call_id,
                    at=fact.started_at,
                    direction=fact.direction,
                    phone=customer_number(fact),
                    result=fact.result,
                    agent=about.by if about else agent.name if agent else fact.agent_number,
                    queue=fact.queue,
                    talk_seconds=fact.talk_seconds,
                    menu_path=fact.menu_path,
                    customer_id=about.customer_id if about else None,
                    case_id=about.case_id if about else None,
                    no=about.no if about else None,
                ),
            )
            if len(owners) == 1:
                await link_customer(session, fact.call_id, owners[0])
        case DispositionSaved():
            await log.record_disposition(
                session,
                call_id=fact.call_id,
                disposition=fact.disposition,
                notes=fact.notes,
                at=fact.at,
                customer_id=fact.customer_id,
            )
            if fact.customer_id is not None:
                await link_customer(session, fact.call_id, fact.customer_id)
        case _:
            pass


def customer_number(fact: CallEnded | CallRow) -> str | None:
    """Return the customer's number in a call with one, ``None`` where there is none."""
    number = fact.to_number if fact.direction == "out" else fact.from_number
    return number if number.startswith("+") or number.isdigit() else None


FACT_HANDLERS: tuple[tuple[str, tuple[type[Event], ...], FactHandler], ...] = (
    ("contacts", CONTACT_FACTS, record_contact),
    ("reroutes", REROUTE_FACTS, propose_reroute),
    ("deadlines", DEADLINE_FACTS, repeat_deadline),
)
"""Receivers besides the notices: a name, which no other receiver has, what it hears of, and what it does."""
