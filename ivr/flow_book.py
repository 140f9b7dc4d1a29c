"""Flows as supervisors keep them: read, proven while they are written, heard, published, rolled back."""

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import structlog

from ivr.domain.flow import Flow, Prompt
from ivr.domain.languages import LANGUAGES
from ivr.domain.problems import FlowInvalid, Problem
from ivr.domain.rewriting import with_recording
from ivr.domain.text import Literal, Slot, SlotFormat
from ivr.ports import SynthesisFailed
from ivr.prompts.audio import Samples, samples_of_wav, wav_bytes
from ivr.prompts.store import SoundFile
from ivr.prompts.studio import Studio
from ivr.repository import FlowRepository, FlowVersion
from ivr.service import DELIVERED, FlowLibrary, delivered
from ivr.traffic import Way, calls_of, traffic_of
from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, HuifangError, Invalid, NotFound, StaleVersion

log = structlog.get_logger(__name__)

ENTITY = "ivr_flow"
MAX_TEXT = 100_000
MAX_WHY = 200
MAX_FLOWS = 100
AT_ONCE = timedelta(seconds=5)
"""So long whoever publishes waits for the audio; then the page shows how far it is."""
LONGEST = timedelta(minutes=10)
HEAR = timedelta(seconds=12)
WEEK = timedelta(days=7)

_SAMPLES: Mapping[str, Mapping[str, str]] = {
    "zh": {"greeting": "王女士", "case_kind": "投诉", "case_status": "正在处理", "case_department": "工程部"},
    "en": {"greeting": "Ms Wang", "case_kind": "complaint", "case_status": "in hand"},
}
_DIGITS = {"case_no": "20260001"}
_PHONE = "13800138000"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowHead:
    """A flow in a list.

    Attributes:
        version: the one in force; ``None`` where only the program's own is there, not yet published.
        calls: that began in it during the last seven days.
        problem: the first mistake that keeps the version in force from callers; ``None`` for none.
    """

    name: str
    title: str
    language: str
    version: FlowVersion | None
    calls: int
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowText:
    """A version's text.

    Attributes:
        version: ``None`` for the program's own text, not published.
        last: number of the newest version, for whoever publishes the next.
    """

    name: str
    text: str
    version: FlowVersion | None
    last: int


@dataclass(slots=True, kw_only=True)
class Making:
    """A version whose prompts are being spoken, or were not to be spoken.

    Attributes:
        done, total: prompts.
        error: why it was not published; "" as long as nothing went wrong.
    """

    done: int = 0
    total: int = 0
    error: str = ""
    ended: bool = False
    task: "asyncio.Task[FlowVersion] | None" = field(default=None, repr=False)


class FlowBook:
    """Use cases around flows.

    Args:
        library, studio: prove, speak and put in force.
        zone: the site's, for the days of the traffic.
        look: finds a voice that was missing; called before one is needed.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        audit: AuditLog,
        *,
        library: FlowLibrary,
        studio: Studio,
        zone: ZoneInfo,
        look: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database
        self._repository = FlowRepository(database)
        self._clock = clock
        self._audit = audit
        self._library = library
        self._studio = studio
        self._zone = zone
        self._look = look
        self._making: dict[str, Making] = {}

    async def close(self) -> None:
        """End what is being spoken: it is not published."""
        tasks = [one.task for one in self._making.values() if one.task is not None and not one.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def flows(self, actor: Actor) -> tuple[FlowHead, ...]:
        """Return all flows, the program's own first. Raises Forbidden."""
        actor.need(Permission.ROUTING_VIEW)
        active = await self._repository.active()
        calls = await calls_of(self._database, since=self._since())
        heads = []
        # Where callers begin comes first.
        known = sorted({*DELIVERED, *active}, key=lambda name: (not name.startswith("hotline"), name))
        for name in known[:MAX_FLOWS]:
            version, text = active.get(name) or (None, delivered(name))
            title, language, problem = name, "zh", None
            try:
                flow = await self._library.check(text, source=f"{name}.yaml")
                title, language = flow.title, flow.language
            except FlowInvalid as error:
                problem = error.problems[0]
            heads.append(
                FlowHead(
                    name=name,
                    title=title,
                    language=language,
                    version=version,
                    calls=calls.get(name, 0),
                    problem=problem,
                )
            )
        return tuple(heads)

    async def text(self, actor: Actor, name: str, version: int | None = None) -> FlowText:
        """Return a flow's text, that in force unless a version is named.

        Raises:
            Forbidden: the role sees no flows.
            NotFound: there is no such flow or version.
        """
        actor.need(Permission.ROUTING_VIEW)
        versions = await self._repository.versions(name)
        last = versions[0].version if versions else 0
        wanted = next(
            (one for one in versions if (one.active if version is None else one.version == version)), None
        )
        if wanted is not None:
            text = await self._repository.text(name, wanted.version)
        elif version is None and name in DELIVERED:
            text = delivered(name)
        else:
            raise NotFound("no such flow", field="name")
        return FlowText(name=name, text=text, version=wanted, last=last)

    async def versions(self, actor: Actor, name: str) -> tuple[FlowVersion, ...]:
        """Return what was published, the newest first, a hundred at most. Raises Forbidden."""
        actor.need(Permission.ROUTING_VIEW)
        return await self._repository.versions(name)

    async def traffic(self, actor: Actor, name: str) -> Mapping[Way, int]:
        """Return from where to where how many calls went in the last seven days. Raises Forbidden."""
        actor.need(Permission.ROUTING_VIEW)
        return await traffic_of(self._database, name, since=self._since())

    def _since(self) -> date:
        return (self._clock.now().astimezone(self._zone) - WEEK).date() + timedelta(days=1)

    async def check(self, actor: Actor, name: str, text: str) -> Flow:
        """Prove a text.

        Raises:
            Forbidden: the role sees no flows.
            FlowInvalid: with every mistake.
            Invalid: it is too long.
        """
        actor.need(Permission.ROUTING_VIEW)
        flow = await self._library.check(_tidy(text), source=f"{name}.yaml")
        if flow.name != name:
            message = f"flow: the file says “{flow.name}” but is published as “{name}”"
            raise FlowInvalid(f"{name}.yaml", [Problem(0, None, message)])
        recorded = [one for one in flow.prompts.values() if one.recording]
        names = {one.recording for one in recorded}
        there = await asyncio.to_thread(self._studio.has_recordings, names)
        gone = [
            Problem(one.line, None, f"prompt “{one.name}”: its recording is gone; record it again")
            for one in recorded
            if one.recording not in there
        ]
        if gone:
            raise FlowInvalid(f"{name}.yaml", gone)
        return flow

    async def record(self, actor: Actor, name: str, text: str, prompt: str, sound: bytes | None) -> str:
        """Keep a recording of a prompt and return the text of the flow that names it.

        Nobody hears it before that text is published; a version that named another one goes on naming it.

        Args:
            sound: a WAV; ``None`` for the synthesiser's voice again.

        Raises:
            Forbidden: the role publishes no flows.
            FlowInvalid: the text has mistakes.
            NotFound: it has no such prompt of its own.
            Invalid: no sound in it, or the prompt has variables or more than a line.
        """
        actor.need(Permission.ROUTING_EDIT)
        text = _tidy(text)
        try:
            flow = await self.check(actor, name, text)
        except FlowInvalid:
            # What is gone is recorded again.
            flow = await self._library.check(text, source=f"{name}.yaml")
        found = flow.prompts.get(prompt)
        if found is None or not found.line:
            raise NotFound("the flow has no such prompt of its own", field="prompt")
        if not found.recordable:
            raise Invalid("a prompt with variables cannot be recorded whole", field="prompt")
        recording = "" if sound is None else await asyncio.to_thread(self._studio.keep_recording, sound)
        made = with_recording(text, found.line, prompt, recording)
        after = (await self._library.check(made, source=f"{name}.yaml")).prompts[prompt]
        if (after.text, after.recording) != (found.text, recording):
            raise Invalid("write the prompt on one line: name: text", field="prompt")
        await self._audit.record(
            "ivr.prompt_recorded" if recording else "ivr.prompt_spoken",
            actor=actor.name,
            ip=actor.ip,
            entity=ENTITY,
            entity_id=f"{name}/{prompt}",
            detail={"user_id": actor.user_id, "recording": recording},
        )
        return made

    async def hear(self, actor: Actor, name: str, text: str, prompt: str) -> bytes:
        """Return a prompt as a WAV, as callers will hear it; variables have the values of an example.

        Raises:
            Forbidden: the role sees no flows.
            FlowInvalid: the text has mistakes.
            NotFound: it has no such prompt.
            SynthesisFailed: no voice, or not in time.
        """
        flow = await self.check(actor, name, text)
        if prompt not in flow.prompts:
            raise NotFound("no such prompt", field="prompt")
        await self._look()
        try:
            async with asyncio.timeout(HEAR.total_seconds()):
                sounds = await self._spoken(flow, flow.prompts[prompt])
        except TimeoutError as error:
            raise SynthesisFailed("the voice took too long; try again in a moment") from error
        return await asyncio.to_thread(_together, sounds)

    async def _spoken(self, flow: Flow, prompt: Prompt) -> list[SoundFile]:
        sounds = []
        for index, piece in enumerate(prompt.template.pieces):
            if isinstance(piece, Literal):
                sounds.append(await self._studio.piece(flow, prompt, index))
                continue
            sounds.append(await self._studio.said(_example(piece, flow.language), flow.voice))
        return sounds

    async def publish(self, actor: Actor, name: str, text: str, *, why: str, expected: int) -> Making:
        """Speak what is new and put the version in force for the next caller.

        Until the last moment callers hear the version before; after any error they go on hearing it.

        Args:
            expected: number of the newest version as whoever publishes saw it, 0 for a new flow.

        Returns:
            How far it is: ended, unless there is much to speak; then see :meth:`making`.

        Raises:
            Forbidden: the role publishes no flows.
            FlowInvalid: with every mistake.
            Invalid: no reason or a too long one, or too many flows.
            StaleVersion: somebody published meanwhile.
            Conflict: this flow is being spoken just now.
            SynthesisFailed: a prompt cannot be spoken.
        """
        actor.need(Permission.ROUTING_EDIT)
        why = " ".join(why.split())
        if not 1 <= len(why) <= MAX_WHY:
            raise Invalid(f"1 to {MAX_WHY} characters: say what was changed", field="why")
        flow = await self.check(actor, name, text)
        if await self._repository.last(name) != expected:
            raise StaleVersion("the flow was published meanwhile; read it again", field="If-Match")
        names = await self._repository.names()
        if name not in names and name not in DELIVERED and len(names) >= MAX_FLOWS:
            raise Invalid(f"no more than {MAX_FLOWS} flows", field="name")
        if (before := self._making.get(name)) is not None and not before.ended:
            raise Conflict("this flow is being published just now", field="name")
        making = self._making[name] = Making(total=len(flow.prompts))
        making.task = asyncio.create_task(
            self._publish(actor, flow, _tidy(text), why, expected, making), name=f"publish flow {name}"
        )
        making.task.add_done_callback(lambda task: _ended(making, task))
        await asyncio.wait({making.task}, timeout=AT_ONCE.total_seconds())
        if making.task.done():
            del self._making[name]
            making.task.result()
        return making

    async def _publish(
        self, actor: Actor, flow: Flow, text: str, why: str, expected: int, making: Making
    ) -> FlowVersion:
        def spoken(done: int) -> None:
            making.done = done

        async with asyncio.timeout(LONGEST.total_seconds()):
            await self._look()
            # Spoken before it is stored: what cannot be spoken leaves no version behind.
            await self._studio.voiced(flow, version=0, told=spoken)
            version = await self._library.publish(flow.name, text, by=actor.name, why=why, expected=expected)
        await self._audit.record(
            "ivr.flow_published",
            actor=actor.name,
            ip=actor.ip,
            entity=ENTITY,
            entity_id=f"{flow.name}/{version.version}",
            detail={"user_id": actor.user_id, "why": why},
        )
        return version

    def making(self, actor: Actor, name: str) -> Making | None:
        """Return how far the version is that is being spoken, or why it was not to be. Raises Forbidden."""
        actor.need(Permission.ROUTING_VIEW)
        making = self._making.get(name)
        if making is not None and making.ended and not making.error:
            del self._making[name]
        return making

    async def roll_back(self, actor: Actor, name: str, version: int, *, expected: int) -> Making:
        """Publish the text of an older version once more: history goes on, nothing is taken out of it.

        Raises:
            NotFound: no such version.
            FlowInvalid: it names what is no more, such as a queue.
            StaleVersion, Conflict, SynthesisFailed, Forbidden: as :meth:`publish`.
        """
        actor.need(Permission.ROUTING_EDIT)
        text = await self._repository.text(name, version)
        return await self.publish(actor, name, text, why=f"v{version}", expected=expected)


def _ended(making: Making, task: "asyncio.Task[FlowVersion]") -> None:
    making.ended = True
    if task.cancelled():
        making.error = "it was stopped; publish it again"
        return
    error = task.exception()
    if error is None:
        making.done = making.total
    elif isinstance(error, HuifangError):
        making.error = error.message
    else:
        making.error = "it took too long" if isinstance(error, TimeoutError) else type(error).__name__
        log.error("ivr_flow_not_published", error=making.error, exc_info=error)


def _tidy(text: str) -> str:
    text = text.replace("\r\n", "\n")
    if len(text) > MAX_TEXT:
        raise Invalid(f"no more than {MAX_TEXT} characters", field="text")
    return text


def _example(slot: Slot, language: str) -> str:
    """What stands for a variable that is known only during a call."""
    spoken = LANGUAGES[language]
    match slot.format:
        case SlotFormat.DIGITS:
            return spoken.digits(_DIGITS.get(slot.variable, _PHONE))
        case SlotFormat.COUNT:
            return spoken.count(2)
        case _:
            return _SAMPLES[language].get(slot.variable, slot.variable)


def _together(sounds: list[SoundFile]) -> bytes:
    whole: Samples = array("h")
    for sound in sounds:
        whole += samples_of_wav(sound.path.with_suffix(".wav").read_bytes())
    return wav_bytes(whole)
