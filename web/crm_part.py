"""The services of the CRM as handlers reach them: ``request.app[CRM]``."""

from dataclasses import dataclass

from aiohttp import web

from crm.cases import CaseRegister
from crm.complaint_services import ComplaintServices
from crm.journal import Journal
from crm.limit_lists import LimitLists
from crm.limits import LimitBook
from crm.notices.desk import OutgoingDesk
from crm.notices.service import NoticeBoard
from crm.search_feed import SearchFeed
from crm.search_query import Search
from crm.search_whole import whole_feed
from crm.timeline import Timeline
from kernel.audit import AuditLog
from web.deps import DEPS


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmServices:
    """All services of the CRM that pages and the API use. Each area adds its own."""

    cases: CaseRegister
    journal: Journal
    search: Search
    feed: SearchFeed
    timeline: Timeline
    limits: LimitBook
    limit_lists: LimitLists
    notices: NoticeBoard
    outgoing: OutgoingDesk
    complaints: ComplaintServices


CRM: web.AppKey[CrmServices] = web.AppKey("CRM", CrmServices)


def setup(app: web.Application) -> None:
    """Build the services from what the web shell was given."""
    deps = app[DEPS]
    journal = Journal(AuditLog(deps.database, deps.clock))
    cases = CaseRegister(deps.database, deps.clock, zone=deps.settings.timezone)
    settings = deps.settings
    limits = LimitBook(deps.clock, hours=settings.service_hours, default_set=settings.limit_set)
    feed = whole_feed()
    app[CRM] = CrmServices(
        cases=cases,
        journal=journal,
        limits=limits,
        limit_lists=LimitLists(deps.clock, limits),
        notices=NoticeBoard(deps.database, deps.clock, deps.bus),
        outgoing=OutgoingDesk(deps.database, deps.clock, journal),
        search=Search(deps.database),
        feed=feed,
        timeline=Timeline(deps.database),
        complaints=ComplaintServices.build(
            deps.database,
            deps.clock,
            register=cases,
            journal=journal,
            limits=limits,
            feed=feed,
            zone=settings.timezone,
            compensation_threshold=settings.compensation_threshold,
        ),
    )
