"""Where callers go: the rules in force in this process, and the dialplan's question about each caller."""

from app.numbers import QueueBook
from app.pbx import prompts_dir
from app.settings import Settings
from app.telephony_part import TelephonyPart
from app.voice import Voice, prompt_store
from crm.caller_standing import CallerStanding
from crm.site_days import SiteDays
from ivr.domain.languages import channel_of
from ivr.line_messages import LineMessages
from ivr.line_words import MOST_AHEAD, LineWords
from ivr.routing import CallRouter, Knowledge
from ivr.routing_book import RoutingBook, RoutingNow
from ivr.waiting_words import WaitingWords
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.supervise import Supervisor
from telephony.queue_now import QueueMoments
from telephony.roster import Roster
from telephony.waiting_told import WaitingTold


async def open_routing(
    settings: Settings,
    database: Database,
    clock: Clock,
    bus: Bus,
    tasks: Supervisor,
    voice: Voice,
    site: SiteDays,
) -> CallRouter:
    """Return what answers the dialplan; rules and messages are looked at again and again."""
    audit, queues = AuditLog(database, clock), QueueBook(Roster(database, clock, bus))
    store = prompt_store(prompts_dir(settings) / "lines", voice)
    await store.open()
    words = LineWords(LineMessages(database, clock, audit, queues=queues), store, clock)
    tasks.spawn("line-words", words.run)
    tasks.spawn("waiting-words", WaitingWords(prompts_dir(settings), words.ahead_sound).run)
    now = rules_now(settings, database, clock, bus, site)
    tasks.spawn("routing-rules", now.run)
    knowledge = Knowledge(CallerStanding(database), QueueMoments(database), clock)
    return CallRouter(
        now,
        knowledge,
        clock,
        default_queue=settings.centre.default_queue,
        default_area=settings.centre.default_area,
        words=words,
    )


def rules_now(
    settings: Settings, database: Database, clock: Clock, bus: Bus, site: SiteDays | None = None
) -> RoutingNow:
    """Return the rules in force, in memory once its task runs."""
    book = RoutingBook(
        database,
        clock,
        AuditLog(database, clock),
        queues=QueueBook(Roster(database, clock, bus)),
        zone=settings.zone,
        site=site,
        always_open=settings.centre.always_open,
    )
    return RoutingNow(book)


def start_waiting_told(
    settings: Settings,
    telephony: TelephonyPart,
    database: Database,
    clock: Clock,
    bus: Bus,
    tasks: Supervisor,
) -> None:
    """Have the PBX of this process know who waits at which place."""
    now = rules_now(settings, database, clock, bus)
    told = WaitingTold(
        telephony.link.actions,
        telephony.ingest.book.open_calls,
        channel_language=channel_of,
        wanted=lambda: now.rules.say_ahead,
        most_ahead=MOST_AHEAD,
    )
    tasks.spawn("routing-rules-told", now.run)
    tasks.spawn("waiting-told", told.run)
