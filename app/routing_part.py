"""Where callers go: the rules in force in this process, and the dialplan's question about each caller."""

from app.numbers import QueueBook
from app.pbx import prompts_dir
from app.settings import Settings
from app.voice import Voice, prompt_store
from crm.caller_standing import CallerStanding
from crm.site_days import SiteDays
from ivr.line_messages import LineMessages
from ivr.line_words import LineWords
from ivr.routing import CallRouter, Knowledge
from ivr.routing_book import RoutingBook, RoutingNow
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.supervise import Supervisor
from telephony.queue_now import QueueMoments
from telephony.roster import Roster


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
    book = RoutingBook(
        database,
        clock,
        audit,
        queues=queues,
        zone=settings.zone,
        site=site,
        always_open=settings.centre.always_open,
    )
    now = RoutingNow(book)
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
