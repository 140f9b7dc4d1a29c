"""Runs flows on live calls: the engine's effects become AGI commands.

Whatever fails, the caller is not lost: an unfinished decision leads to the default queue, and where not
even that can be said to Asterisk, the closed session leads to the dialplan's fallback, a person as well.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import assert_never

import structlog
from prometheus_client import Counter

from ivr.domain.effects import (
    Ask,
    AskDigits,
    Broken,
    CallbackNoted,
    Clip,
    Effect,
    Heard,
    Input,
    Listen,
    LookUp,
    Piece,
    Pressed,
    Reason,
    Recorded,
    RecordMessage,
    ReportMenu,
    RequestCallback,
    Say,
    Silence,
    Start,
    ToFlow,
    ToHangup,
    ToQueue,
    Typed,
)
from ivr.domain.engine import FELL_BACK, GONE, FlowRun, RunState
from ivr.domain.flow import KEYS
from ivr.handing_over import KEEP_PLACE, PlaceKeeper, decide_queue, speak, spoken_to
from ivr.listening import Hearing
from ivr.lookups import CallerFacts
from ivr.ports import (
    CallbackBook,
    CallerDirectory,
    Mailbox,
    MenuEars,
    PlaceBook,
    RatingBook,
    SynthesisFailed,
)
from ivr.prompts.store import SoundFile
from ivr.prompts.studio import Studio, VoicedFlow
from ivr.ratings import RatingKeeper
from ivr.service import AFTER_QUEUE, FlowLibrary
from ivr.traffic import FlowTally
from kernel.clock import Clock
from kernel.ids import is_ulid
from kernel.phone import Phone
from telephony.agi import AgiError, AgiSession, AgiTimeout, CallerHungUp
from telephony.agi.server import Handler

log = structlog.get_logger(__name__)

MAX_REPORTED = 60
"""Characters of what a caller said that the time line keeps."""
RECORDING_NOTICE = "recording_notice"
"""Name of the prompt of any flow that says that the call is recorded."""

FINISHED = Counter("huifang_ivr_calls_total", "Calls that left a flow", ["flow", "end"])


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerConfig:
    """Settings of the runner.

    Attributes:
        lookup_deadline: longest wait for the customer records.
        callback_deadline: longest wait for a callback request to be stored.
        default_area: area code of local numbers.
        tone: the sound before a recording, without extension.
    """

    lookup_deadline: timedelta = timedelta(milliseconds=200)
    callback_deadline: timedelta = timedelta(seconds=2)
    default_area: str | None = None
    tone: Path | None = None


class FlowRunner:
    """Answers the FastAGI routes of the menus.

    Args:
        library: flows in force.
        studio: their audio.
        directory: who has which number.
        callbacks: where wishes to be called back are kept.
        mailbox: where messages are kept; without it nobody can leave one.
        places: where callers keep their place in a queue; without it they are called back by people.
        ratings: where customers say after a call how it was; without it nobody is asked.
        tally: counts where calls went; without it nobody counts.
        clock: the time, for opening hours.
        ears: who listens to callers while a menu waits; without them only keys count.
    """

    def __init__(
        self,
        library: FlowLibrary,
        studio: Studio,
        *,
        directory: CallerDirectory,
        callbacks: CallbackBook,
        clock: Clock,
        mailbox: Mailbox | None = None,
        config: RunnerConfig | None = None,
        ears: MenuEars | None = None,
        places: PlaceBook | None = None,
        ratings: RatingBook | None = None,
        tally: FlowTally | None = None,
    ) -> None:
        self._ears = ears
        self.tally = tally
        self._library = library
        self._studio = studio
        self._directory = directory
        self._callbacks = callbacks
        self._clock = clock
        self.mailbox = mailbox
        self._config = config or RunnerConfig()
        limit, area = self._config.callback_deadline, self._config.default_area
        self.places = PlaceKeeper(places, clock, deadline=limit, default_area=area)
        self.ratings = RatingKeeper(ratings, deadline=limit)

    def routes(self) -> Mapping[str, Handler]:
        """Return the handlers for :class:`telephony.agi.AgiServer`."""
        return {"flow": self.flow, "after-queue": self.after_queue}

    async def flow(self, session: AgiSession) -> None:
        """``/flow/<did or flow>``: answer the call and walk its flow."""
        dialled = session.route_args[0] if session.route_args else ""
        voiced = self._library.for_number(dialled)
        if voiced is None:
            # Without a decision the dialplan says its word, or plays its chime, and queues for a person.
            log.error("ivr_no_flow_ready", dialled=dialled)
            await session.set_variable("HF_NEXT", "")
            return
        await session.answer()
        await speak(session, voiced.flow.language)
        await self._walk(session, voiced, {"called_number": dialled})

    async def after_queue(self, session: AgiSession) -> None:
        """``/after-queue``: the queue gave the caller back; apologise and offer a callback, once."""
        arguments = session.environment.arguments
        status = arguments[0] if arguments else await session.get_variable("QUEUESTATUS")
        queue = arguments[1] if len(arguments) > 1 else await session.get_variable("HF_QUEUE")
        voiced = self._library.named(f"{AFTER_QUEUE}-{spoken_to(session)}") or self._library.named(
            AFTER_QUEUE
        )
        waits_on = status == KEEP_PLACE
        if waits_on and voiced is not None and not voiced.flow.keeps_places:
            # A flow of one's own that knows nothing of it: they go on waiting.
            await decide_queue(session, ToQueue(pieces=(), queue=queue or "", resume=True))
            return
        if voiced is None or await session.get_variable("HF_AFTER_QUEUE"):
            await session.set_variable("HF_NEXT", "hangup" if voiced else "")
            return
        if not waits_on:
            await session.set_variable("HF_AFTER_QUEUE", status or "-")
        asks = await self.ratings.asks(status or "", queue or "", self.caller(session))
        known = {"queue_status": status or "", "queue": queue or "", "rating": "yes" if asks else ""}
        await self._walk(session, voiced, known)

    async def _walk(self, session: AgiSession, voiced: VoicedFlow, known: Mapping[str, str]) -> None:
        call_id = await session.get_variable("HF_CALL") or ""
        try:
            await _Call(self, session, voiced, call_id).walk(known)
        except (CallerHungUp, AgiTimeout):
            raise
        except Exception:
            # The border of one call: a fault of ours must not cost the caller their person.
            log.exception("ivr_flow_crashed", flow=voiced.flow.name, call_id=call_id[:32])
            FINISHED.labels(voiced.flow.name, "crashed").inc()
            if session.usable:
                fallback = voiced.flow.fallback.queue
                if fallback is None:
                    await session.set_variable("HF_NEXT", "hangup")
                else:
                    await decide_queue(session, ToQueue(pieces=(), queue=fallback))

    async def decide_flow(self, session: AgiSession, effect: ToFlow) -> None:
        """Send a call on to another flow; to a person where that one is not in force."""
        if self._library.named(effect.flow) is None:
            log.error("ivr_flow_not_in_force", flow=effect.flow)
            if effect.queue is not None:
                await decide_queue(session, ToQueue(pieces=(), queue=effect.queue))
            else:
                await session.set_variable("HF_NEXT", "hangup")
            return
        await session.set_variable("HF_FLOW", effect.flow)
        await session.set_variable("HF_NEXT", "flow")

    def facts(self, phone: Phone | None) -> CallerFacts:
        """Return what the records can say about a caller."""
        return CallerFacts(self._directory, phone, deadline=self._config.lookup_deadline)

    def caller(self, session: AgiSession) -> Phone | None:
        """Return the caller's number if it is one."""
        return Phone.parse_caller(session.environment.caller_number, default_area=self._config.default_area)

    @property
    def clock(self) -> Clock:
        """The time."""
        return self._clock

    @property
    def ears(self) -> MenuEars | None:
        """Who listens to callers."""
        return self._ears

    @property
    def tone(self) -> Path | None:
        """The sound before a recording."""
        return self._config.tone

    @property
    def studio(self) -> Studio:
        """The audio."""
        return self._studio

    async def note_callback(self, call_id: str, phone: str, customer_id: str | None, reason: str) -> bool:
        """Store a wish to be called back; false when that failed."""
        number = Phone.parse_caller(phone, default_area=self._config.default_area)
        if number is None or not number.dialable:
            return False
        try:
            async with asyncio.timeout(self._config.callback_deadline.total_seconds()):
                await self._callbacks.create(
                    call_id=call_id, phone=number, customer_id=customer_id, reason=reason
                )
        except Exception as error:  # a border: the caller goes to a person instead
            log.error("ivr_callback_not_noted", call_id=call_id, error=type(error).__name__, exc_info=True)
            return False
        return True


class _Call:
    """One call in one flow."""

    def __init__(self, runner: FlowRunner, session: AgiSession, voiced: VoicedFlow, call_id: str) -> None:
        self._runner = runner
        self._session = session
        self._voiced = voiced
        self._phone = runner.caller(session)
        self._facts = runner.facts(self._phone)
        self._queue = ""
        self.call_id = call_id if is_ulid(call_id) else ""
        ears = runner.ears
        listening = ears is not None and ears.ready
        channel = session.environment.channel
        self._hearing = Hearing(ears, channel, self._phone) if ears is not None and listening else None

    async def walk(self, known: Mapping[str, str]) -> None:
        """Take the caller through the flow to its end."""
        try:
            await self._walk(known)
        finally:
            if self._hearing is not None:
                self._hearing.rest()

    async def _walk(self, known: Mapping[str, str]) -> None:
        self._queue = known.get("queue", "")
        number = self._phone.national if self._phone is not None and self._phone.dialable else ""
        run = FlowRun(
            self._voiced.flow, {"caller_number": number, **known}, listening=self._hearing is not None
        )
        try:
            await self._through(run)
        except (CallerHungUp, AgiTimeout):
            self._count(run, GONE)
            raise
        except Exception:
            self._count(run, FELL_BACK)
            raise

    def _count(self, run: FlowRun, end: str = "") -> None:
        if self._runner.tally is not None:
            ended = ((run.node, end),) if end and run.state is not RunState.ENDED else ()
            self._runner.tally.add(self._voiced.flow.name, self._voiced.version, (*run.steps, *ended))

    async def _through(self, run: FlowRun) -> None:
        item: Input = Start()
        while True:
            *reports, wanted = run.handle(item, now=self._runner.clock.now())
            for report in reports:
                await self._report(report)
            if self._hearing is not None and not isinstance(wanted, Ask):
                self._hearing.rest()
            if isinstance(wanted, ToQueue | ToHangup | ToFlow):
                self._count(run)
                await self._end(wanted)
                return
            try:
                item = await self._do(wanted)
            except (SynthesisFailed, AgiError) as error:
                log.error(
                    "ivr_prompt_not_played",
                    flow=self._voiced.flow.name,
                    node=run.node,
                    call_id=self.call_id,
                    error=error.message,
                )
                item = Broken(Reason.PROMPT)

    async def _do(self, effect: Effect) -> Input:
        match effect:
            case Say(pieces=pieces, barge_in=barge_in):
                return Heard(await self._play(pieces, barge_in=barge_in))
            case Ask(listen=Listen() as listen) if self._hearing is not None:
                play = partial(self._play, barge_in=effect.barge_in)
                return await self._hearing.ask(self._session, effect, listen, play)
            case Ask(pieces=pieces, barge_in=barge_in, wait=wait):
                key = await self._play(pieces, barge_in=barge_in) or await self._session.wait_for_digit(wait)
                return Pressed(key) if key else Silence()
            case AskDigits():
                return await self._digits(effect)
            case LookUp(ask=ask):
                return await self._facts.answer(ask)
            case RequestCallback(pieces=pieces, phone=phone, reason=reason, place=place):
                await self._play(pieces, barge_in=False)
                own = self._phone is not None and phone == self._phone.national
                customer_id = self._facts.customer_id if own else None
                place_kept = place and await self._runner.places.keep(
                    self._session, self.call_id, phone, self._queue, customer_id
                )
                if place_kept:
                    return CallbackNoted()
                noted = await self._runner.note_callback(self.call_id, phone, customer_id, reason)
                return CallbackNoted() if noted else Broken(Reason.CALLBACK)
            case RecordMessage():
                return await self._record(effect)
            case ReportMenu() | ToQueue() | ToHangup() | ToFlow():
                raise TypeError(f"{type(effect).__name__} wants no answer")
            case _:
                assert_never(effect)

    async def _play(
        self, pieces: tuple[Piece, ...], stop: asyncio.Event | None = None, *, barge_in: bool
    ) -> str | None:
        """Play all pieces, or until ``stop`` is set; return the key that stopped them."""
        escape = KEYS if barge_in else ""
        clips = self._voiced.clips
        for piece in pieces:
            if isinstance(piece, Clip):
                sounds: tuple[SoundFile, ...] = (clips[piece],)
            else:
                sounds = await self._runner.studio.sounds(self._voiced, piece)
            for sound in sounds:
                key = await self._session.stream_file(
                    sound.path, escape=escape, length=sound.length, stop=stop
                )
                if key:
                    return key
            whole = stop is None or not stop.is_set()
            if whole and isinstance(piece, Clip) and piece.prompt == RECORDING_NOTICE:
                # Heard to its end: the dialplan need not tell them again. Keys cut it short.
                await self._session.set_variable("HF_NOTICE", "yes")
        return None

    async def _digits(self, effect: AskDigits) -> Typed:
        typed = effect.typed
        key = None if typed else await self._play(effect.pieces, barge_in=effect.barge_in)
        while True:
            if key is not None and key in "#*":
                return Typed(typed, key)
            typed += key or ""
            if len(typed) >= effect.max_digits:
                return Typed(typed)
            key = await self._session.wait_for_digit(effect.wait)
            if key is None:
                return Typed(typed)

    async def _record(self, effect: RecordMessage) -> Input:
        mailbox = self._runner.mailbox
        # Announced first; who knows it presses a key.
        await self._play(effect.pieces, barge_in=True)
        path = None
        if mailbox is not None:
            path = await mailbox.place(
                call_id=self.call_id,
                phone=self._phone,
                customer_id=self._facts.customer_id,
                origin=f"{self._voiced.flow.name}/{effect.node}",
            )
        if mailbox is None or path is None:
            return Broken(Reason.MAILBOX)
        if self._runner.tone is not None:
            try:
                await self._session.stream_file(self._runner.tone, length=timedelta(seconds=1))
            except AgiError as error:
                if not self._session.usable:
                    raise
                log.warning("ivr_tone_not_played", call_id=self.call_id, error=error.message)
        try:
            await self._session.record_file(
                path, escape="#", limit=effect.limit, beep=False, silence=effect.silence
            )
        finally:
            # Also of a caller who hung up when they had said it.
            heard = await asyncio.shield(mailbox.keep(path))
        return Recorded(heard)

    async def _report(self, effect: Effect) -> None:
        if not isinstance(effect, ReportMenu):
            return
        if self._voiced.flow.name.startswith(AFTER_QUEUE):
            await self._runner.ratings.note(self.call_id, effect.node, effect.key)
        headers = {"Call": self.call_id, "Node": effect.node, "Key": effect.key, "Label": effect.label}
        if effect.said:
            headers["Said"] = effect.said[:MAX_REPORTED]
        if effect.understood:
            headers["Understood"] = effect.understood
        if effect.confidence is not None:
            headers["Confidence"] = f"{effect.confidence:.2f}"
        try:
            await self._session.user_event("HuifangMenu", **headers)
        except AgiError as error:
            # The time line lacks a step; the caller goes on.
            log.warning("ivr_menu_not_reported", call_id=self.call_id, error=error.message)

    async def _end(self, effect: ToQueue | ToHangup | ToFlow) -> None:
        """Tell Asterisk the decision first, so that it stands if the last prompt cannot be played."""
        cause = effect.cause
        FINISHED.labels(self._voiced.flow.name, "flow" if cause == "flow" else str(cause)).inc()
        if cause != "flow":
            log.info("ivr_fell_back", flow=self._voiced.flow.name, call_id=self.call_id, cause=str(cause))
        if isinstance(effect, ToFlow):
            await self._runner.decide_flow(self._session, effect)
        elif isinstance(effect, ToQueue):
            await decide_queue(self._session, effect)
        else:
            await self._session.set_variable("HF_NEXT", "hangup")
        try:
            await self._play(effect.pieces, barge_in=False)
        except (AgiError, SynthesisFailed) as error:
            log.warning("ivr_last_prompt_not_played", call_id=self.call_id, error=error.message)
