"""Callback tasks as handlers reach them: ``request.app[CALLBACKS]``."""

from dataclasses import dataclass

from aiohttp import web

from callback_campaigns.answer_files import AnswerFiles
from callback_campaigns.answer_player import AnswerPlayer
from callback_campaigns.answer_review import AnswerReview
from callback_campaigns.assignment import Assignments
from callback_campaigns.attempt_by_hand import ManualAttempts
from callback_campaigns.callback_watch import CallbackWatch
from callback_campaigns.campaign_figures import CampaignFigures
from callback_campaigns.campaign_results import CampaignResults
from callback_campaigns.campaigns import CampaignBook, Lines
from callback_campaigns.contact_lists import ContactLists
from callback_campaigns.effects import CallbackEffects
from callback_campaigns.figures import FiguresReader
from callback_campaigns.forms import Forms
from callback_campaigns.gate_desk import GateDesk
from callback_campaigns.masked_reads import MaskedReads
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.queue_places import QueuePlaces
from callback_campaigns.regular_reports import RegularReports
from callback_campaigns.talk_sweep import TalkSweep
from callback_campaigns.talks import Talks
from callback_campaigns.task_desk import CallbackDesk
from callback_campaigns.tasks import CallbackTasks
from crm.importing.jobs import ImportJobs
from kernel.access import Permission
from web.crm_part import CRM, CrmDeps, CrmServices
from web.deps import DEPS
from web.members import UserMembers


@dataclass(frozen=True, slots=True)
class Callbacks:
    """The tasks themselves, what people see and decide of them, and the campaigns that call about them."""

    tasks: CallbackTasks
    assignments: Assignments
    attempts_by_hand: ManualAttempts
    masked: MaskedReads
    desk: CallbackDesk
    gates: GateDesk
    campaigns: CampaignBook
    campaign_figures: CampaignFigures
    campaign_results: CampaignResults
    contact_lists: ContactLists
    list_jobs: ImportJobs
    talks: Talks
    sweep: TalkSweep
    watch: CallbackWatch
    forms: Forms
    effects: CallbackEffects
    figures: FiguresReader
    player: AnswerPlayer
    review: AnswerReview
    reports: RegularReports
    places: QueuePlaces


CALLBACKS: web.AppKey[Callbacks] = web.AppKey("CALLBACKS", Callbacks)


def build_callbacks(crm: CrmServices, deps: CrmDeps) -> Callbacks:
    """Return the services over the CRM's."""
    office = crm.people.office
    plan, dialling = deps.settings.plan, deps.settings.dialling
    members = UserMembers()
    tasks = CallbackTasks(office, plan, dialling, crm.limits.calendar, members)
    trunks = {trunk.name: trunk for trunk in deps.settings.trunks}
    questionnaires = QuestionnaireBook(office.database, office.clock, office.journal)
    lines = Lines(trunks=trunks, carriers=frozenset(dialling.carriers))
    book = CampaignBook(office, lines, deps.bus)
    lists = ContactLists(office, tasks, plan, crm.people.do_not_call)
    runs = Permission.CAMPAIGNS_RUN
    talks = Talks(office, tasks, questionnaires, plan, dialling)
    return Callbacks(
        tasks,
        Assignments(office, members),
        ManualAttempts(office, tasks, dialling),
        MaskedReads(office, members),
        CallbackDesk(office, tasks),
        GateDesk(office, plan),
        book,
        CampaignFigures(office, book, tasks, plan, dialling),
        CampaignResults(office, book),
        lists,
        ImportJobs(office, lists, deps.bus.publish, permission=runs, lists=True),
        talks,
        TalkSweep(office, tasks, talks, dialling),
        CallbackWatch(office, tasks),
        Forms(office, talks),
        CallbackEffects(
            office,
            questionnaires,
            plan,
            tasks=tasks,
            tickets=crm.tickets,
            complaints=crm.complaints.end,
            repairs=crm.repairs.repairs,
            do_not_call=crm.people.do_not_call,
            consents=crm.people.consents,
            stages=crm.people.stages,
            page_url=deps.settings.page_url,
        ),
        FiguresReader(office, plan),
        AnswerPlayer(office, talks, AnswerFiles(deps.settings.answers_dir)),
        AnswerReview(office, questionnaires, crm.tickets.tickets),
        RegularReports(office.database, office.clock, zone=office.zone),
        QueuePlaces(office, dialling),
    )


def setup(app: web.Application) -> None:
    """Build the services from what the web shell was given."""
    app[CALLBACKS] = build_callbacks(app[CRM], app[DEPS])
