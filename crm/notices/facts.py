"""Which facts people hear about: one entry per kind of fact. Facts without an entry are ignored.

An entry is a pure function from a fact to steps: a :class:`~crm.notices.domain.NoticeRequest`, now or later,
or a :class:`~crm.notices.domain.Forget` of what was to be given later. The parameters ``department`` and
``customer`` are ids there; their names are looked up here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.customer import Salutation, greeting
from crm.notices.alert_facts import ALERT_ENTRIES
from crm.notices.case_facts import CASE_ENTRIES
from crm.notices.customer_facts import CUSTOMER_ENTRIES, STALE
from crm.notices.domain import Forget, NoticeRequest, Party
from crm.notices.events import CustomerMessageWanted, MessageFailed, NoticeWanted
from crm.notices.later import forget
from crm.notices.limit_facts import LIMIT_ENTRIES
from crm.notices.messages import MessageQueue
from crm.notices.repair_facts import REPAIR_ENTRIES
from crm.notices.service import Notices
from crm.notices.ticket_facts import TICKET_ENTRIES
from crm.tables import Customer, CustomerPhone, Department
from kernel.clock import Clock
from kernel.errors import ConfigurationError, Invalid
from kernel.events import Event
from kernel.phone import Phone, PhoneKind

log = structlog.get_logger(__name__)

Step = NoticeRequest | Forget
Entry = Callable[[Any], Iterable[Step]]


def _wanted(fact: NoticeWanted) -> Iterable[Step]:
    yield NoticeRequest(
        code=fact.code,
        key=fact.key or fact.event_id,
        parameters=fact.parameters,
        link=fact.link,
        party=Party(
            owner_user_id=fact.owner_user_id,
            owner_department=fact.owner_department,
            specialist_user_id=fact.specialist_user_id,
        ),
        also=fact.also,
        expires_at=fact.expires_at,
    )


def _message_failed(fact: MessageFailed) -> Iterable[Step]:
    if fact.code == "message.failed":
        return  # a channel that cannot tell of its own failure must not try for ever
    yield NoticeRequest(
        code="message.failed",
        # Once a day for each kind of trouble, not once for each message.
        key=f"message.failed|{fact.channel}|{fact.error[:80]}|{fact.at:%Y%m%d}",
        parameters={"channel": fact.channel, "error": fact.error},
        link="/notices/outgoing",
    )


ENTRIES: Mapping[type[Event], Entry] = {
    NoticeWanted: _wanted,
    MessageFailed: _message_failed,
    **LIMIT_ENTRIES,
    **CASE_ENTRIES,
    **REPAIR_ENTRIES,
    **TICKET_ENTRIES,
    **ALERT_ENTRIES,
}


def _nobody(fact: Event) -> Iterable[CustomerMessageWanted]:
    return ()


class NoticeFacts:
    """The receiver of facts; :attr:`types` are those it has an entry for."""

    def __init__(
        self,
        notices: Notices,
        messages: MessageQueue,
        clock: Clock,
        entries: Mapping[type[Event], Entry] = ENTRIES,
    ) -> None:
        self._clock = clock
        self._notices = notices
        self._messages = messages
        self._entries = entries

    @property
    def types(self) -> tuple[type[Event], ...]:
        """Return what to subscribe to."""
        return tuple(dict.fromkeys((*self._entries, *CUSTOMER_ENTRIES, CustomerMessageWanted)))

    async def take(self, session: AsyncSession, fact: Event) -> None:
        """Do what a fact calls for, in the consumer's transaction.

        A fact that cannot become a notice is logged and let go: it would hold up all that come after it.
        """
        if isinstance(fact, CustomerMessageWanted):
            await self._tell_customer(session, fact)
            return
        if fact.at > self._clock.now() - STALE:
            for message in CUSTOMER_ENTRIES.get(type(fact), _nobody)(fact):
                await self._tell_customer(session, message)
        entry = self._entries.get(type(fact))
        if entry is None:
            return
        for step in entry(fact):
            try:
                if isinstance(step, Forget):
                    await forget(session, step.subject)
                else:
                    named = await _named(session, step.parameters)
                    await self._notices.give(session, replace(step, parameters=named, fact_id=fact.event_id))
            except Invalid as error:
                name = type(fact).__name__
                log.error("notice_refused", fact=name, event_id=fact.event_id, error=error.message)

    async def _tell_customer(self, session: AsyncSession, fact: CustomerMessageWanted) -> None:
        query = (
            select(CustomerPhone.e164)
            .where(CustomerPhone.customer_id == fact.customer_id, CustomerPhone.bad_since.is_(None))
            .order_by(CustomerPhone.preferred.desc(), CustomerPhone.position)
        )
        customer = await session.get(Customer, fact.customer_id)
        numbers = (await session.scalars(query)).all()
        mobile = next((one for one in numbers if Phone.parse(one).kind is PhoneKind.MOBILE), None)
        if customer is None or mobile is None:
            log.info("customer_not_told", event_id=fact.event_id, template=fact.template)
            return
        salutation = Salutation(customer.salutation) if customer.salutation else None
        known = {"greeting": greeting(customer.name, salutation), **fact.parameters}
        try:
            await self._messages.send_to_customer(
                session,
                mobile,
                fact.template,
                known,
                fact.key,
                urgent=fact.urgent,
                customer_id=customer.id,
            )
        except (Invalid, ConfigurationError) as error:
            log.error("customer_message_refused", event_id=fact.event_id, error=error.message)


async def _named(session: AsyncSession, given: Mapping[str, object]) -> dict[str, object]:
    """Put names in the place of ids; an id that leads nowhere stays."""
    named = dict(given)
    headed = await session.get(Department, named["head"]) if named.get("head") else None
    if headed is not None:
        named["head"] = headed.head
    for name, table in (("department", Department), ("customer", Customer)):
        key = named.get(name)
        row: Department | Customer | None = await session.get(table, key) if key else None
        if row is not None:
            named[name] = row.name
    return named
