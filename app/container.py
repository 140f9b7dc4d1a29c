"""The composition root: the one place that knows all classes and wires them together.

:func:`open_centre` builds the services a process needs for its roles, starts their tasks and its servers, and
ends all of it in reverse order.
"""

import asyncio
import contextlib
import importlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from importlib.metadata import version

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

import app.models  # noqa: F401 - relationships between tables need all of them
from app import pbx
from app.abandoned_part import ABANDONED_FACTS, abandoned_callers
from app.after_text import AFTER_FACTS, TextWanted, build_after_call
from app.alerts_part import alert_receivers
from app.base import Base, consumer
from app.callback_tasks import WATCH, build_tasks, due_worker, keep_sweeping
from app.clip_text import CLIP_FACTS, ClipPart
from app.dialler_part import ATTEMPT_FACTS, DiallerPart, build_dialler, start_dialler
from app.early_media import open_early_media
from app.erasure import when_erased
from app.examination import examine
from app.limit_part import limit_worker, opinion_notices
from app.live_text import LiveTextPart, build_hints, build_live_text, start_live_text
from app.menu_ears import MenuEars, open_menu_ears
from app.notice_wiring import build_notices, start_notices
from app.numbers import QueueBook
from app.office import office_of
from app.queue_place_part import build_places
from app.rating_part import Ratings
from app.recording_part import start_recordings
from app.recording_pause_part import start_pauses
from app.retention import start_retention
from app.routing_part import open_routing, start_waiting_told
from app.runtime.tool import Tool
from app.said import build_said
from app.schema import check
from app.service_watch import ServiceWatch
from app.settings import Settings
from app.speaker import Speaker
from app.speech_part import build_early_recognition, build_recognition, readiness
from app.supervision_part import start_supervision
from app.survey_part import build_survey
from app.telephony_part import TelephonyPart, build_telephony, start_telephony
from app.try_phone import PROMPT, PhoneTrial
from app.voice import Voice, prompt_store
from app.voicemail_part import build_mailbox
from app.web_settings import web_settings
from app.wiring import FACT_HANDLERS
from callback_campaigns.effects import FACTS as EFFECT_FACTS
from callback_campaigns.preview_wire import RemotePreview
from callback_campaigns.regular_reports import RegularReports
from callback_campaigns.task_facts import TASK_FACTS
from crm.case_watch import watch_cases
from crm.do_not_call import DoNotCall
from crm.events_limits import LimitBreached
from crm.file_store import FileStore, FileSweep
from crm.service import CallbackRequests, CustomerDirectory
from crm.site_days import SiteDays
from ivr.flow_book import FlowBook
from ivr.keeper import VoiceKeeper
from ivr.prompts.studio import Studio
from ivr.repository import FlowRepository
from ivr.runner import FlowRunner, RunnerConfig
from ivr.service import FlowLibrary
from ivr.traffic import FlowTally
from kernel import metrics
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import Clock, SystemClock
from kernel.db import Database, create_database
from kernel.errors import ConfigurationError
from kernel.ids import new_ulid
from kernel.list_watch import watch_lists
from kernel.outbox import OutboxRelay
from kernel.redis_client import connect_redis
from kernel.supervise import Supervisor
from speech.choice import InstalledRecognition
from speech.masking import Masking
from speech.ports import Recognition
from telephony.agi import AgiConfig, AgiServer
from telephony.agi.server import reason_of
from telephony.asterisk.sounds import TONE
from telephony.board_reader import BoardReader
from telephony.call_control_wire import RemoteControl
from telephony.desk import AgentDesk
from telephony.history import CallHistory
from telephony.page_watch import PageWatch
from telephony.quality import Drawing, QualityReviews
from telephony.quality_forms import QualityBook
from telephony.roster import Roster
from telephony.trunks import Trunks
from web.app import create_app
from web.deps import Check, Softphone, WebDeps
from web.live_lists import LISTS


class Role(StrEnum):
    """What a process does for the centre."""

    TELEPHONY = "telephony"
    IVR = "ivr"
    WEB = "web"


ALL_ROLES = frozenset(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """A running process of the centre; a part is ``None`` where its role is played elsewhere."""

    base: Base
    desk: AgentDesk
    telephony: TelephonyPart | None
    dialler: DiallerPart | None
    recognition: InstalledRecognition
    flows: FlowLibrary | None
    agi_port: int | None
    web_port: int | None

    async def wait_live(self) -> None:
        """Return when the PBX is followed; at once in a process without the telephony role."""
        if self.telephony is not None:
            await self.telephony.ingest.wait_live()


@contextlib.asynccontextmanager
async def open_centre(
    settings: Settings,
    roles: frozenset[Role] = ALL_ROLES,
    *,
    espeak: Tool | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Centre]:
    """Run the services of ``roles`` for the length of the block.

    Args:
        espeak: the voice for new prompts; without one the role ``ivr`` looks for it until it is there.
        clock: what every part goes by; the machine's without one.

    Raises:
        ConfigurationError: the database is not at this version's schema, a port is taken, a setting is wrong.
    """
    metrics.BUILD.labels(version("huifang")).set(1)
    async with contextlib.AsyncExitStack() as stack:
        base = await _open_base(settings, clock or SystemClock(), stack)
        # Names are spelt while calls go on: what takes half a second to import is imported before.
        await asyncio.to_thread(importlib.import_module, "pypinyin")
        tasks = base.tasks
        recognition = build_recognition(settings)
        stack.push_async_callback(recognition.aclose)
        if Role.TELEPHONY in roles and settings.speech.warm:
            tasks.spawn("recogniser", recognition.keep_warm)
        relay = OutboxRelay(base.database, base.redis, base.clock, worker=base.worker)
        telephony = dialler = menus = agi_port = web_port = early = None
        if Role.TELEPHONY in roles:
            telephony = build_telephony(
                settings,
                clock=base.clock,
                database=base.database,
                bus=base.bus,
                redis=base.redis,
                worker=base.worker,
                on_facts=relay.wake,
            )
            await telephony.numbers.load()
            early = await open_early_media(
                settings, telephony, build_early_recognition(settings), base.clock, stack
            )
            dialler = build_dialler(
                settings, telephony, clock=base.clock, database=base.database, bus=base.bus, early=early
            )
            if early is not None:
                early.follows = dialler.keeper.follows
        tasks.spawn("bus", base.bus.run)
        tasks.spawn("outbox", relay.run)
        for name, types, handler in FACT_HANDLERS:
            tasks.spawn(name, consumer(base, f"crm.{name}", types, handler).run)
        gave_up = consumer(base, "crm.abandoned", ABANDONED_FACTS, abandoned_callers(settings))
        tasks.spawn("abandoned-callers", gave_up.run)
        for alert in alert_receivers(settings, base.database, base.clock, base.bus):
            tasks.spawn(alert.task, consumer(base, alert.name, alert.types, alert.handler).run)
        callbacks = build_tasks(settings, base.database, base.clock, base.bus)
        planned = consumer(base, "callbacks.tasks", TASK_FACTS, callbacks.tasks.take)
        tasks.spawn("callback-facts", planned.run)
        due = due_worker(callbacks.tasks, base.database, base.clock, worker=base.worker)
        tasks.spawn("callback-due", due.run)
        follows = consumer(base, "callbacks.effects", EFFECT_FACTS, callbacks.effects.take)
        tasks.spawn("callback-effects", follows.run)
        tasks.spawn("callback-sweep", lambda: keep_sweeping(callbacks.sweep))
        tasks.spawn("callback-watch", lambda: keep_sweeping(callbacks.watch, WATCH))
        reports = RegularReports(base.database, base.clock, zone=settings.zone)
        tasks.spawn("regular-reports", reports.worker(worker=base.worker).run)
        opinions = opinion_notices(settings, base.database, base.clock)
        told = consumer(base, "crm.opinion_notices", (LimitBreached,), opinions.on_breach)
        tasks.spawn("opinion-notices", told.run)
        notices = build_notices(
            settings,
            clock=base.clock,
            database=base.database,
            redis=base.redis,
            bus=base.bus,
            worker=base.worker,
        )
        await start_notices(notices, base.database, tasks)
        desk = (
            telephony.desk
            if telephony
            else AgentDesk(base.database, base.clock, base.bus, worker=base.worker, on_facts=relay.wake)
        )
        if Role.IVR in roles:
            ears = await open_menu_ears(settings, telephony, recognition, base.database, base.clock, stack)
            menus, agi_port = await _open_ivr(base, stack, espeak, ears)
        if telephony is not None:
            start_telephony(telephony, tasks, base.bus)
            start_waiting_told(settings, telephony, base.database, base.clock, base.bus, tasks)
            actions = telephony.link.actions
            for kept in pbx.kept_files(settings, base.database, base.clock, base.bus, actions):
                tasks.spawn(kept.name, kept.run)
        if dialler is not None:
            start_dialler(dialler, tasks)
            settle = consumer(base, "callbacks.attempts", ATTEMPT_FACTS, dialler.on_fact)
            tasks.spawn("dial-facts", settle.run)
        if telephony is not None:
            start_recordings(base)
            start_pauses(base.settings, telephony, base.database, base.clock, base.bus, tasks)
            start_supervision(base.settings, telephony, base.database, base.clock, base.bus, tasks)
        text: LiveTextPart | None = None
        if telephony is not None and settings.speech.enabled and settings.live_text.enabled:
            text = build_live_text(
                settings,
                telephony,
                recognition,
                clock=base.clock,
                database=base.database,
                bus=base.bus,
            )
            stack.push_async_callback(text.close)
            await start_live_text(text, tasks, base.database)
            if early is not None:
                early.late = text.live.is_late
        if telephony is not None and settings.speech.enabled:
            is_late = text.live.is_late if text is not None else (lambda: False)
            start_after_call(base, recognition, is_late)
        if telephony is not None:
            target = settings.centre.service_level_target
            levels = ServiceWatch(telephony.board, base.database, base.clock, target=target)
            tasks.spawn("service-level", levels.run)
        if Role.WEB in roles:
            start_quality(base)
            tasks.spawn("limits", limit_worker(settings, base.database, base.clock, base.worker).run)
            files = FileStore(web_settings(settings).files_dir)
            tasks.spawn("file-sweep", FileSweep(base.database, base.clock, files).run)
            start_retention(base)
            tasks.spawn("said-index", build_said(base.database, base.clock, worker=base.worker).run)
            tasks.spawn("page-watch", PageWatch(base.database, base.clock, desk).run)
            web_port = await _open_web(base, stack, desk, telephony, dialler, recognition, menus)
        yield Centre(
            base=base,
            desk=desk,
            telephony=telephony,
            dialler=dialler,
            recognition=recognition,
            flows=menus.library if menus else None,
            agi_port=agi_port,
            web_port=web_port,
        )


def start_quality(base: Base) -> None:
    """Have calls drawn that are to be judged."""
    audit = AuditLog(base.database, base.clock)
    book = QualityBook(base.database, base.clock, audit)
    reviews = QualityReviews(base.database, base.clock, audit, book, zone=base.settings.zone)
    base.tasks.spawn("quality-draw", Drawing(reviews).run)


def start_after_call(base: Base, recognition: Recognition, is_late: Callable[[], bool]) -> None:
    """Have text made of ended calls' recordings."""
    hints = build_hints(base.settings, base.database, base.clock)
    after = build_after_call(
        base.settings,
        recognition,
        clock=base.clock,
        database=base.database,
        bus=base.bus,
        worker=base.worker,
        late=is_late,
        phrases=hints,
    )
    base.tasks.spawn("speech-hints-after-calls", hints.run)
    wanted = TextWanted(base.clock, language=next(iter(base.settings.speech.languages), "zh"))
    base.tasks.spawn("text-wanted", consumer(base, "speech.after", AFTER_FACTS, wanted.on_fact).run)
    base.tasks.spawn("text-after-calls", after.run)
    masking = Masking(
        base.database, base.clock, folder=base.settings.data_dir / "recordings", worker=base.worker
    )
    base.tasks.spawn("numbers-hidden", masking.run)
    clips = ClipPart(
        base.settings,
        recognition,
        database=base.database,
        clock=base.clock,
        worker=base.worker,
        late=is_late,
        phrases=hints,
    )
    base.tasks.spawn("clip-wanted", consumer(base, "speech.clips", CLIP_FACTS, clips.on_fact).run)
    base.tasks.spawn("text-of-clips", clips.texts.run)


async def _open_base(settings: Settings, clock: Clock, stack: contextlib.AsyncExitStack) -> Base:
    database = create_database(settings.sql_url)
    stack.push_async_callback(database.dispose)
    try:
        await check(database)
    except (SQLAlchemyError, OSError) as error:
        raise ConfigurationError(
            f"the database cannot be reached ({type(error).__name__}): check HUIFANG_DATABASE_URL"
        ) from error
    redis = connect_redis(settings.redis_address)
    stack.push_async_callback(redis.aclose)
    tasks = Supervisor(clock)
    stack.push_async_callback(tasks.close)
    bus = Bus(redis)
    watch_cases(database, clock, bus.publish)
    watch_lists(database, clock, bus.publish, LISTS)
    return Base(
        settings=settings,
        clock=clock,
        database=database,
        redis=redis,
        bus=bus,
        tasks=tasks,
        worker=f"{settings.pbx.node}-{os.getpid()}-{new_ulid()[-6:]}",
    )


async def _open_ivr(
    base: Base, stack: contextlib.AsyncExitStack, espeak: Tool | None, ears: MenuEars | None
) -> tuple["Menus", int]:
    settings = base.settings
    voice = Voice(settings, espeak)
    stack.push_async_callback(voice.close)
    await voice.recall()
    site = SiteDays(base.database, base.clock, base.settings.service_hours)
    base.tasks.spawn("site-days", site.run)
    flows, studio = await build_flows(base.settings, base.database, base.clock, base.bus, voice, site)
    await flows.load_active()
    mailbox = build_mailbox(settings, base.database, base.clock)
    stack.push_async_callback(mailbox.close)
    base.tasks.spawn("voice-messages", lambda: keep_sweeping(mailbox, WATCH))
    tally = FlowTally(base.database, base.clock, zone=settings.zone)
    base.tasks.spawn("flow-traffic", tally.run)
    runner = FlowRunner(
        flows,
        studio,
        directory=CustomerDirectory(base.database),
        callbacks=CallbackRequests(base.database, base.clock),
        clock=base.clock,
        mailbox=mailbox,
        config=RunnerConfig(default_area=settings.centre.default_area, tone=pbx.prompts_dir(settings) / TONE),
        ears=ears,
        places=build_places(settings, base.database, base.clock),
        ratings=Ratings(base.database, base.clock, DoNotCall(office_of(settings, base.database, base.clock))),
        tally=tally,
    )
    survey = await build_survey(settings, base.database, base.clock, base.bus, voice, site)
    stack.push_async_callback(survey.close)
    prompts = pbx.prompts_dir(settings)
    trial = PhoneTrial(
        settings.data_dir / "phone-trials", prompt=prompts / PROMPT, tone=prompts / TONE, clock=base.clock
    )
    router = await open_routing(settings, base.database, base.clock, base.bus, base.tasks, voice, site)
    server = AgiServer(
        AgiConfig(
            host=settings.agi.host,
            port=settings.agi.port,
            max_connections=settings.agi.max_connections,
            allowed_peers=settings.agi.allow,
        ),
        {**runner.routes(), **survey.runner.routes(), **router.routes(), **trial.routes()},
    )
    try:
        await server.start()
    except ConfigurationError as error:
        raise ConfigurationError(f"{error.message}: choose another with HUIFANG_AGI__PORT=…") from error
    stack.push_async_callback(server.stop, timedelta(seconds=2))
    base.tasks.spawn("flows", flows.run)
    keeper = VoiceKeeper(flows, studio, pbx.prompts_dir(settings), look=voice.look)
    base.tasks.spawn("voice", keeper.run)
    base.tasks.spawn("survey-prompts", survey.keeper.run)
    base.tasks.spawn("survey-recall", survey.recall.run)
    base.tasks.spawn("menus-forget", lambda: when_erased(base.bus, studio.forget, name="menus_forget"))
    base.tasks.spawn("survey-forgets", lambda: when_erased(base.bus, survey.forget, name="survey_forgets"))
    return Menus(flows, studio, voice), server.port


@dataclass(frozen=True, slots=True)
class Menus:
    """The flows of a process and what speaks them."""

    library: FlowLibrary
    studio: Studio
    voice: Voice


async def build_flows(
    settings: Settings,
    database: Database,
    clock: Clock,
    bus: Bus,
    voice: Voice,
    site: SiteDays | None = None,
) -> tuple[FlowLibrary, Studio]:
    """Return the flows and their studio, with the dialplan's own prompts in place if there is a voice."""
    library, studio = await flows_and_studio(settings, database, clock, bus, voice, site)
    await studio.write_dialplan_prompts(pbx.prompts_dir(settings))
    return library, studio


async def flows_and_studio(
    settings: Settings,
    database: Database,
    clock: Clock,
    bus: Bus,
    voice: Voice,
    site: SiteDays | None = None,
) -> tuple[FlowLibrary, Studio]:
    """Return the flows and their studio; nothing is read or spoken yet."""
    folder = pbx.prompts_dir(settings)
    store = prompt_store(folder, voice)
    await store.open()
    studio = Studio(store, folder / "recordings")
    library = FlowLibrary(
        FlowRepository(database),
        studio,
        queues=QueueBook(Roster(database, clock, bus)),
        clock=clock,
        bus=bus,
        constants={"company": settings.centre.company},
        by_number={settings.centre.hotline: "hotline"},
        always_open=settings.centre.always_open,
        zone=settings.zone,
        closing=settings.service_hours.closing,
        site=site,
    )
    return library, studio


def _open_reader(base: Base) -> BoardReader:
    """Return the board of a telephony role that runs elsewhere."""
    reader = BoardReader(base.redis, base.clock, base.bus, node=base.settings.pbx.node)
    base.tasks.spawn("board-reader", reader.run)
    return reader


async def _open_web(
    base: Base,
    stack: contextlib.AsyncExitStack,
    desk: AgentDesk,
    telephony: TelephonyPart | None,
    dialler: DiallerPart | None,
    recognition: InstalledRecognition,
    menus: "Menus | None",
) -> int:
    settings = base.settings
    if menus is None:
        voice = Voice(settings, None)
        stack.push_async_callback(voice.close)
        menus = Menus(*await flows_and_studio(settings, base.database, base.clock, base.bus, voice), voice)
    book = FlowBook(
        base.database,
        base.clock,
        AuditLog(base.database, base.clock),
        library=menus.library,
        studio=menus.studio,
        zone=settings.zone,
        look=menus.voice.look,
    )
    stack.push_async_callback(book.close)
    remote = RemotePreview(base.bus, base.clock, node=settings.pbx.node)
    checks: dict[str, Check] = {"speech": readiness(recognition)}
    if telephony:
        checks[f"ami:{settings.pbx.node}"] = telephony.readiness
    deps = WebDeps(
        settings=web_settings(settings),
        clock=base.clock,
        database=base.database,
        bus=base.bus,
        redis=base.redis,
        history=CallHistory(base.database),
        board=telephony.board if telephony else _open_reader(base),
        desk=desk,
        customers=CustomerDirectory(base.database),
        tasks_health=base.tasks.health,
        checks=checks,
        speak=Speaker(settings),
        flows=book,
        trunks=Trunks(base.bus, base.clock, node=settings.pbx.node),
        preview=dialler.preview if dialler else remote,
        masked=dialler.masked if dialler else remote,
        numbers=dialler.numbers if dialler else remote,
        control=telephony.control
        if telephony
        else RemoteControl(base.bus, base.clock, node=settings.pbx.node),
        examine=partial(examine, settings),
        softphone=Softphone(
            pbx.softphone_keys(settings), f"ws://{pbx.web_address(settings)}/ws", settings.pbx.test_phone
        ),
    )
    runner = web.AppRunner(create_app(deps), access_log=None, shutdown_timeout=3.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, settings.web.host, settings.web.port)
    try:
        await site.start()
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {settings.web.host}:{settings.web.port} for the pages ({reason_of(error)}): "
            "choose another with HUIFANG_WEB__PORT=…"
        ) from error
    port: int = runner.addresses[0][1]
    return port
