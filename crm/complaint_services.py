"""Builds the services of complaints, which share a store and a reader."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Self
from zoneinfo import ZoneInfo

from crm.cases import CaseRegister
from crm.compensations import Compensations
from crm.complaint_end import ComplaintEnd
from crm.complaint_read import ComplaintReader
from crm.complaint_store import ComplaintStore, search_extras
from crm.complaint_work import ComplaintWork
from crm.complaints import Complaints
from crm.escalation_read import EscalationReader
from crm.escalation_store import EscalationStore
from crm.escalations import Escalations
from crm.handoff_calls import HandoffCalls
from crm.handoffs import Handoffs
from crm.journal import Journal
from crm.late_lists import LateLists
from crm.limits import LimitBook
from crm.line_limits import LineLimits
from crm.line_records import LineRecords
from crm.members import Members, Nobody
from crm.search import Kind
from crm.search_feed import SearchFeed
from kernel.business_time import SHANGHAI
from kernel.clock import Clock
from kernel.db import Database

COMPENSATION_THRESHOLD = Decimal("2000.00")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintServices:
    """The services, and what they share."""

    complaints: Complaints
    work: ComplaintWork
    records: LineRecords
    end: ComplaintEnd
    handoffs: Handoffs
    handoff_calls: HandoffCalls
    overdue: LateLists
    escalations: Escalations
    compensations: Compensations
    store: ComplaintStore
    reader: ComplaintReader

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
        zone: ZoneInfo = SHANGHAI,
        compensation_threshold: Decimal = COMPENSATION_THRESHOLD,
        members: Members | None = None,
    ) -> Self:
        """Build them; what complaints know besides their headers is added to the search.

        Args:
            compensation_threshold: more than that only the general manager decides.
            members: who works in which department; without it nobody can be named by id.
        """
        feed.extend(Kind.COMPLAINT, search_extras)
        known = members or Nobody()
        handoffs = Handoffs(database, clock, journal, known)
        store = ComplaintStore(database, clock, register, journal, LineLimits(limits), feed, members=known)
        reader = ComplaintReader(clock, register, handoffs, limits)
        escalation_store = EscalationStore(store)
        escalation_reader = EscalationReader(
            database, clock, register, limits, threshold=compensation_threshold
        )
        return cls(
            complaints=Complaints(store, reader, handoffs),
            work=ComplaintWork(store, reader, handoffs),
            records=LineRecords(store, reader),
            end=ComplaintEnd(store, reader, handoffs),
            handoffs=handoffs,
            handoff_calls=HandoffCalls(database, clock, journal),
            overdue=LateLists(database, clock),
            escalations=Escalations(escalation_store, escalation_reader, limits),
            compensations=Compensations(escalation_store, escalation_reader, zone=zone),
            store=store,
            reader=reader,
        )
