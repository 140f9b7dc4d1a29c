"""Builds the services of problem tickets, which share a store and a reader."""

from dataclasses import dataclass
from typing import Self

from crm.cases import CaseRegister
from crm.complaints import Complaints
from crm.handoffs import Handoffs
from crm.journal import Journal
from crm.limits import LimitBook
from crm.opinion_notices import OpinionNotices
from crm.search import Kind
from crm.search_feed import SearchFeed
from crm.ticket_corrected import TicketCorrections
from crm.ticket_end import TicketEnd
from crm.ticket_read import TicketReader
from crm.ticket_store import TicketStore, search_extras
from crm.ticket_work import TicketWork
from crm.tickets import Tickets
from kernel.clock import Clock
from kernel.db import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketServices:
    """The services, and what they share."""

    tickets: Tickets
    work: TicketWork
    end: TicketEnd
    corrections: TicketCorrections
    notices: OpinionNotices
    store: TicketStore
    reader: TicketReader

    @classmethod
    def build(
        cls,
        database: Database,
        clock: Clock,
        *,
        register: CaseRegister,
        journal: Journal,
        limits: LimitBook,
        feed: SearchFeed,
        handoffs: Handoffs,
        complaints: Complaints,
    ) -> Self:
        """Build them; what tickets know besides their headers is added to the search."""
        feed.extend(Kind.TICKET, search_extras)
        notices = OpinionNotices(database, clock, journal, limits)
        store = TicketStore(database, clock, register, journal, limits, feed)
        reader = TicketReader(register, handoffs, limits, notices)
        return cls(
            tickets=Tickets(store, reader, handoffs, complaints, notices),
            work=TicketWork(store, reader, handoffs),
            end=TicketEnd(store, reader, complaints, notices),
            corrections=TicketCorrections(store, handoffs),
            notices=notices,
            store=store,
            reader=reader,
        )
