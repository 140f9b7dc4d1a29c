"""Runs surveys on live calls: the survey's effects become AGI commands (route ``survey``, attempt's id).

Whatever fails, the customer is not left in silence: a call that cannot be led on here goes back without a
decision to the dialplan, which says a word of apology and hangs up, and what was answered is kept.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, assert_never

import structlog
from prometheus_client import Counter

from callback_campaigns.answer_files import LONGEST, AnswerFiles
from callback_campaigns.domain.survey import Survey
from callback_campaigns.domain.survey_steps import (
    Ask,
    Begin,
    Effect,
    End,
    Event,
    HangUp,
    HungUp,
    Pressed,
    Record,
    Recorded,
    Report,
    Silence,
    StoreAnswer,
    StoreSkip,
    ToAgent,
    Unheard,
)
from callback_campaigns.domain.survey_words import Line
from callback_campaigns.entries import Entry, EntryKind, EntrySpool
from callback_campaigns.ledger import Ledger
from callback_campaigns.ports import CannotSpeak
from callback_campaigns.survey_voice import SurveyVoice
from callback_campaigns.surveys import BY, Opened, Surveys
from kernel.clock import Clock
from kernel.errors import HuifangError
from telephony.agi import AgiError, AgiSession, AgiTimeout, CallerHungUp
from telephony.agi.server import Handler

log = structlog.get_logger(__name__)

FINISHED = Counter("huifang_surveys_total", "Surveys over IVR by how they ended", ["questionnaire", "end"])
KEYS = "0123456789*#"
STOPS_RECORDING = "0#"
LEAVING = timedelta(seconds=2)
"""So long the end of a talk may take when we are being stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyConfig:
    """Settings of the runner.

    Attributes:
        queue: who asks for a person goes there, unless the campaign has a queue of its own.
        tone: the sound before a recording, without extension.
        open_within: longest wait for the talk to be opened; the customer hears nothing meanwhile.
        quiet_ends, elder_quiet_ends: a recording ends when nothing was said for so long.
    """

    queue: str
    tone: Path
    open_within: timedelta = timedelta(milliseconds=2500)
    quiet_ends: timedelta = timedelta(seconds=3)
    elder_quiet_ends: timedelta = timedelta(seconds=5)


class SurveyRunner:
    """Answers the FastAGI route of the surveys."""

    def __init__(
        self,
        surveys: Surveys,
        voice: SurveyVoice,
        files: AnswerFiles,
        spool: EntrySpool,
        *,
        clock: Clock,
        config: SurveyConfig,
    ) -> None:
        self.surveys = surveys
        self.voice = voice
        self.files = files
        self.spool = spool
        self.clock = clock
        self.config = config
        self._late: set[asyncio.Task[Any]] = set()

    def routes(self) -> Mapping[str, Handler]:
        """Return the handlers for :class:`telephony.agi.AgiServer`."""
        return {"survey": self.survey}

    async def survey(self, session: AgiSession) -> None:
        """``/survey`` with the attempt's id: lead the survey and leave a decision in ``HF_NEXT``."""
        given = (*session.environment.arguments, *session.route_args)
        attempt_id = given[0] if given else await session.get_variable("HF_CALL") or ""
        with structlog.contextvars.bound_contextvars(call_id=attempt_id[:32]):
            try:
                opened = await self._opened(attempt_id)
            except Exception as error:  # the border of one call
                if isinstance(error, HuifangError) and not error.retryable:
                    log.warning("survey_not_begun", error=error.code, why=error.message)
                    await self._part(session)
                else:
                    log.error("survey_not_opened", error=type(error).__name__, exc_info=True)
                    await session.set_variable("HF_NEXT", "")
                return
            call = _Call(self, session, attempt_id, opened)
            try:
                await call.lead()
            finally:
                if (writer := call.ledger.writer) is not None:
                    self._remember(writer)

    async def close(self, within: timedelta = LEAVING) -> None:
        """Wait for what is still being kept of calls that are over."""
        if self._late:
            await asyncio.wait(self._late, timeout=within.total_seconds())

    async def _opened(self, attempt_id: str) -> Opened:
        """Begin the talk, in time or not at all.

        Cancelling a statement waits for a locked database as the statement does, and the customer with it:
        what is late is let go instead. A talk that is opened after all has no call, and the sweep ends it.
        """
        opening = asyncio.create_task(self.surveys.open(attempt_id), name="survey opening")
        self._remember(opening)
        done, _ = await asyncio.wait({opening}, timeout=self.config.open_within.total_seconds())
        if not done:
            raise TimeoutError("the talk could not be opened in time")
        return opening.result()

    def _remember(self, task: "asyncio.Task[Any]") -> None:
        def forget(task: "asyncio.Task[Any]") -> None:
            self._late.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.debug("survey_work_failed", work=task.get_name(), error=type(error).__name__)

        self._late.add(task)
        task.add_done_callback(forget)

    async def _part(self, session: AgiSession) -> None:
        """Take leave of a customer whom there is nothing to ask."""
        await session.set_variable("HF_NEXT", "hangup")
        try:
            for sound in await self.voice.sounds((self.surveys.wording.nothing_to_ask(),), slow=False):
                await session.stream_file(sound.path, length=sound.length)
        except (CannotSpeak, AgiError):
            await session.set_variable("HF_NEXT", "")


class _Call:
    """One call in one survey."""

    def __init__(self, runner: SurveyRunner, session: AgiSession, attempt_id: str, opened: Opened) -> None:
        self.ledger = Ledger(lambda entry: entry.keep(runner.surveys.talks), runner.spool)
        self._runner = runner
        self._session = session
        self._attempt_id = attempt_id
        self._talk = opened.talk
        self._slow = opened.script.elder
        self._survey = Survey(opened.script)

    async def lead(self) -> None:
        """Ask until the survey has ended."""
        try:
            event: Event | None = Begin()
            while event is not None:
                event = await self._all(self._survey.handle(event, now=self._runner.clock.now()))
        except (CallerHungUp, AgiTimeout):
            await self._gone()
            raise
        except asyncio.CancelledError:
            # We are being stopped. The dialplan takes leave of the customer.
            await self._gone()
            raise
        except Exception:
            # The border of one call: a fault of ours must not cost the answers, nor end in silence.
            log.exception("survey_crashed")
            await self._gone()
            if self._session.usable:
                await self._session.set_variable("HF_NEXT", "")

    async def _gone(self) -> None:
        for effect in self._survey.handle(HungUp(), now=self._runner.clock.now()):
            if isinstance(effect, End):
                await self._end(effect)
        await self.ledger.settled(LEAVING)

    async def _all(self, effects: tuple[Effect, ...]) -> Event | None:
        """Do the effects of a step; return what came of the last one, ``None`` at the end of the call."""
        for effect in effects:
            match effect:
                case StoreAnswer(item_id, answer):
                    await self._keep(EntryKind.ANSWER, item_id=item_id, answer=answer)
                case StoreSkip(item_id):
                    await self._keep(EntryKind.SKIP, item_id=item_id)
                case Report():
                    await self._report(effect)
                case End():
                    await self._end(effect)
                case Ask() | Record():
                    return await self._asked(effect)
                case HangUp(lines):
                    await self._leave("hangup", lines)
                case ToAgent(lines):
                    queue = await self._session.get_variable("HF_QUEUE") or self._runner.config.queue
                    await self._session.set_variable("HF_QUEUE", queue)
                    await self._leave("queue", lines)
                case _:
                    assert_never(effect)
        return None

    async def _asked(self, effect: Ask | Record) -> Event:
        try:
            return await (self._ask(effect) if isinstance(effect, Ask) else self._record(effect))
        except (CannotSpeak, AgiError) as error:
            if not self._session.usable:
                raise
            log.error("survey_text_not_played", state=self._survey.state, error=error.message)
            return Unheard()

    async def _ask(self, effect: Ask) -> Event:
        key = await self._play(effect.lines, escape=KEYS) or await self._session.wait_for_digit(effect.wait)
        return Pressed(key) if key else Silence()

    async def _record(self, effect: Record) -> Event:
        runner = self._runner
        key = await self._play(effect.lines, escape=KEYS)
        if key and key in "0#*":
            return Recorded(False, key)
        path = await self._place(effect.item_id)
        if path is None:
            return Recorded(False)
        try:
            await self._session.stream_file(runner.config.tone, length=timedelta(seconds=1))
        except AgiError as error:
            log.warning("survey_tone_not_played", error=error.message)
        try:
            key = await self._session.record_file(
                path,
                escape=STOPS_RECORDING,
                limit=LONGEST,
                beep=False,
                silence=runner.config.elder_quiet_ends if self._slow else runner.config.quiet_ends,
            )
        finally:
            # Also of a customer who hung up while speaking, or of whom we lost the line.
            spoken = await asyncio.shield(self._keep_voice(effect.item_id, path))
        return Recorded(spoken, key or "")

    async def _place(self, item_id: str) -> Path | None:
        try:
            return await asyncio.to_thread(self._runner.files.fresh, self._talk.talk_id, item_id)
        except OSError as error:
            # A full disk costs the message, not the survey.
            log.error("survey_recording_has_no_place", error=str(error)[:200])
            return None

    async def _keep_voice(self, item_id: str, path: Path) -> bool:
        heard = await asyncio.to_thread(self._runner.files.heard, path)
        if heard is None:
            return False
        await self._keep(EntryKind.VOICE, item_id=item_id, path=heard.path, seconds=heard.seconds)
        return True

    async def _play(self, lines: tuple[Line, ...], *, escape: str) -> str | None:
        """Play all lines; return the key that stopped them."""
        for sound in await self._runner.voice.sounds(lines, slow=self._slow):
            key = await self._session.stream_file(sound.path, escape=escape, length=sound.length)
            if key:
                return key
        return None

    async def _report(self, effect: Report) -> None:
        try:
            await self._session.user_event(
                "HuifangMenu", Call=self._attempt_id, Node=effect.node, Key=effect.key, Label=effect.label
            )
        except AgiError as error:
            # The time line lacks a step; the customer goes on.
            log.warning("survey_step_not_reported", error=error.message)

    async def _end(self, effect: End) -> None:
        FINISHED.labels(self._talk.questionnaire.code, effect.how.value).inc()
        await self._keep(EntryKind.END, how=effect.how, appointed=effect.at)

    async def _keep(self, kind: EntryKind, **what: Any) -> None:
        await self.ledger.keep(Entry(kind=kind, talk_id=self._talk.talk_id, by=BY, **what))

    async def _leave(self, decision: str, lines: tuple[Line, ...]) -> None:
        """Tell Asterisk the decision first, so that it stands if the last words cannot be said.

        Who is to hang up is told so after them: if we die meanwhile, the dialplan says goodbye.
        """
        parts = decision == "hangup"
        # Without words of ours the dialplan has its own.
        await self._session.set_variable("HF_NEXT", ("parting" if parts else decision) if lines else "")
        try:
            await self._play(lines, escape="")
        except (AgiError, CannotSpeak) as error:
            log.warning("survey_last_words_not_said", error=error.message)
            if parts and self._session.usable:
                await self._session.set_variable("HF_NEXT", "")
            return
        if parts and lines:
            await self._session.set_variable("HF_NEXT", "hangup")
