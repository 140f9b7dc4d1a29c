"""The services of the CRM as handlers reach them: ``request.app[CRM]``."""

from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from callback_campaigns.gate_desk import GateDesk
from callback_campaigns.retention import CallbackCalls
from crm.alert_rules import AlertRuleBook
from crm.appraisals import Appraisals
from crm.case_figures import CaseFiguresReader
from crm.cases import CaseRegister
from crm.cause_heap_lists import CauseHeaps
from crm.complaint_services import ComplaintServices
from crm.data_requests import DataRequests
from crm.duty import Duty
from crm.file_store import FileStore
from crm.follow_ups import FollowUps
from crm.forwarded import ForwardedOrders
from crm.group_complaints import GroupComplaints
from crm.handoff_links import HandoffLinks
from crm.improvement_files import ImprovementEvidence
from crm.improvements import Improvements
from crm.journal import Journal
from crm.knowledge import Knowledge
from crm.legal_holds import LegalHolds
from crm.limit_lists import LimitLists
from crm.limits import LimitBook
from crm.materials import Materials
from crm.month_causes import MonthCausesReader
from crm.notices.desk import OutgoingDesk
from crm.notices.service import NoticeBoard
from crm.office import Office
from crm.people_services import PeopleServices
from crm.point_figures import PointFigureReader
from crm.point_files import PointFiles
from crm.point_jobs import PointJobs
from crm.point_ledger import PointLedger
from crm.point_lists import PointLists
from crm.point_visits import PointVisits
from crm.problem_customers import ProblemCustomers
from crm.repair_points import RepairPoints
from crm.repair_services import RepairServices
from crm.repeat_calls import RepeatCalls
from crm.repeat_complaints import RepeatComplaints
from crm.retention import Retention
from crm.search_feed import SearchFeed
from crm.search_query import Search
from crm.search_whole import whole_feed
from crm.ticket_services import TicketServices
from crm.timeline import Timeline
from crm.voicemail import VoiceMail
from crm.voicemail_files import MessageFiles
from crm.voices import Voices
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.traces import LogFiles
from telephony.retention import CallShelf
from web.auth import ACCOUNTS
from web.deps import DEPS, WebSettings
from web.members import UserMembers
from web.personal_places import PERSONAL
from web.pins import Pins


class CrmDeps(Protocol):
    """What the services stand on; ``WebDeps`` has it."""

    @property
    def settings(self) -> WebSettings:
        """The site's zone, hours and limits."""
        ...

    @property
    def database(self) -> Database:
        """Where everything is kept."""
        ...

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    @property
    def bus(self) -> Bus:
        """Where live news goes."""
        ...


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
    appraisals: Appraisals
    notices: NoticeBoard
    outgoing: OutgoingDesk
    complaints: ComplaintServices
    people: PeopleServices
    repairs: RepairServices
    tickets: TicketServices
    forwarded: ForwardedOrders
    knowledge: Knowledge
    repair_points: RepairPoints
    point_lists: PointLists
    point_visits: PointVisits
    point_files: PointFiles
    point_jobs: PointJobs
    point_figures: PointFigureReader
    point_ledger: PointLedger
    follow_ups: FollowUps
    figures: CaseFiguresReader
    repeats: RepeatComplaints
    problem_customers: ProblemCustomers
    month_causes: MonthCausesReader
    handoff_links: HandoffLinks
    improvements: Improvements
    improvement_evidence: ImprovementEvidence
    voicemail: VoiceMail
    message_files: MessageFiles
    voices: Voices
    materials: Materials
    retention: Retention
    holds: LegalHolds
    data_requests: DataRequests
    duty: Duty
    repeat_calls: RepeatCalls
    groups: GroupComplaints
    alert_rules: AlertRuleBook
    heaps: CauseHeaps


CRM: web.AppKey[CrmServices] = web.AppKey("CRM", CrmServices)


def setup(app: web.Application) -> None:
    """Build the services from what the web shell was given."""
    app[CRM] = build_crm(app[DEPS], pins=app[ACCOUNTS].pins)


def build_crm(deps: CrmDeps, *, feed: SearchFeed | None = None, pins: Pins | None = None) -> CrmServices:
    """Return the services over a database, a clock, a bus and the settings.

    Args:
        feed: keeps the search up to date; the usual one unless given.
        pins: checks the PINs of who signs; without it nobody signs with one.
    """
    journal = Journal(AuditLog(deps.database, deps.clock))
    cases = CaseRegister(deps.database, deps.clock, zone=deps.settings.timezone)
    settings = deps.settings
    limits = LimitBook(deps.clock, hours=settings.service_hours, default_set=settings.limit_set)
    feed = whole_feed(feed)
    office = Office(
        database=deps.database,
        clock=deps.clock,
        journal=journal,
        zone=settings.timezone,
        default_area=settings.default_area,
        search=feed,
        warranty_terms=settings.warranty_terms,
    )
    members = UserMembers(pins)
    complaints = ComplaintServices.build(
        deps.database,
        deps.clock,
        register=cases,
        journal=journal,
        limits=limits,
        feed=feed,
        zone=settings.timezone,
        compensation_threshold=settings.compensation_threshold,
        members=members,
    )
    return CrmServices(
        people=PeopleServices.build(
            office, publish=deps.bus.publish, gates=GateDesk(office, settings.plan), numbers=members
        ),
        repairs=(
            repairs := RepairServices.build(
                deps.database,
                deps.clock,
                register=cases,
                journal=journal,
                limits=limits,
                feed=feed,
                zone=settings.timezone,
                files=settings.files_dir,
                terms=settings.warranty_terms,
            )
        ),
        cases=cases,
        journal=journal,
        limits=limits,
        limit_lists=LimitLists(deps.clock, limits),
        appraisals=Appraisals(deps.database, deps.clock, journal, zone=settings.timezone),
        notices=NoticeBoard(deps.database, deps.clock, deps.bus),
        outgoing=OutgoingDesk(deps.database, deps.clock, journal),
        search=Search(deps.database),
        feed=feed,
        timeline=Timeline(deps.database),
        complaints=complaints,
        tickets=(
            tickets := TicketServices.build(
                deps.database,
                deps.clock,
                register=cases,
                journal=journal,
                limits=limits,
                feed=feed,
                handoffs=complaints.handoffs,
                complaints=complaints.complaints,
            )
        ),
        groups=GroupComplaints(deps.database, deps.clock),
        alert_rules=AlertRuleBook(
            deps.database, deps.clock, journal, zone=settings.timezone, base=settings.watchwords
        ),
        heaps=CauseHeaps(deps.database, deps.clock, cases, journal),
        repeat_calls=RepeatCalls(
            deps.database,
            register=cases,
            complaints=complaints.complaints,
            repairs=repairs.store,
            tickets=tickets.end,
        ),
        forwarded=ForwardedOrders(deps.database, deps.clock, cases, journal, limits),
        knowledge=Knowledge(deps.database, deps.clock, journal, feed, zone=settings.timezone),
        repair_points=RepairPoints(deps.database, deps.clock, journal, zone=settings.timezone),
        point_lists=PointLists(deps.database, deps.clock, zone=settings.timezone),
        point_visits=PointVisits(deps.database, deps.clock, journal, zone=settings.timezone),
        point_files=PointFiles(deps.database, deps.clock, journal, FileStore(settings.files_dir)),
        point_jobs=PointJobs(repairs.store, repairs.reader, zone=settings.timezone),
        point_figures=PointFigureReader(deps.database, zone=settings.timezone),
        point_ledger=PointLedger(deps.database, journal, zone=settings.timezone),
        follow_ups=FollowUps(deps.database, deps.clock, cases, journal),
        figures=CaseFiguresReader(deps.database, deps.clock, zone=settings.timezone),
        repeats=RepeatComplaints(deps.database, deps.clock, cases),
        problem_customers=ProblemCustomers(deps.database),
        month_causes=MonthCausesReader(deps.database, deps.clock, zone=settings.timezone),
        retention=(
            retention := Retention(
                office,
                settings.retention,
                calls=CallShelf(settings.recordings_dir),
                callbacks=CallbackCalls(settings.answers_dir),
                messages=(message_files := MessageFiles(settings.messages_dir)),
                logs=LogFiles(*settings.log_dirs),
                personal=PERSONAL,
            )
        ),
        holds=LegalHolds(office),
        data_requests=DataRequests(office, limits, retention),
        handoff_links=HandoffLinks(deps.database, deps.clock, journal, complaints.handoffs, members),
        voicemail=VoiceMail(office),
        message_files=message_files,
        voices=Voices(deps.database, deps.clock, cases, journal, zone=settings.timezone),
        duty=Duty(deps.database, deps.clock, journal, members, zone=settings.timezone),
        materials=Materials(deps.database, deps.clock, journal),
        improvements=Improvements(deps.database, deps.clock, cases, journal, members, zone=settings.timezone),
        improvement_evidence=ImprovementEvidence(
            deps.database, deps.clock, journal, FileStore(settings.files_dir)
        ),
    )
