"""The library of flows: publishing, and what each process has ready for its callers."""

import asyncio
import hashlib
import importlib.resources
from collections.abc import Mapping
from dataclasses import replace
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from ivr.domain.flow import Flow, OtherFlow
from ivr.domain.problems import FlowInvalid, Problem
from ivr.domain.validate import load_flow
from ivr.events import FlowPublished
from ivr.ports import QueueNames, SynthesisFailed, VoiceMissing
from ivr.prompts.studio import Studio, VoicedFlow
from ivr.repository import FlowRepository, FlowVersion
from kernel.bus import Bus, Lagged
from kernel.business_time import SHANGHAI, HolidayClosing, OpeningHours, SiteHolidays
from kernel.clock import Clock
from kernel.errors import HuifangError, Invalid
from kernel.phone import Phone

log = structlog.get_logger(__name__)

AFTER_QUEUE = "after-queue"
# File in ivr.flows → publisher's name of what came with the program.
DELIVERED: Mapping[str, str] = {
    "hotline_en": "hotline_en.yaml",
    "hotline": "hotline.yaml",
    AFTER_QUEUE: "after_queue.yaml",
    f"{AFTER_QUEUE}-en": "after_queue_en.yaml",
}
PROGRAM = "huifang"
# Stands for every flow: the database did not say which are in force.
ALL = "*"

PUBLISHED = Counter("huifang_ivr_flows_published_total", "Attempts to publish a flow", ["result"])


class FlowLibrary:
    """All flows, the ones in force with their audio in memory.

    Args:
        repository: published versions.
        studio: makes their audio.
        queues: which queues a flow may lead to.
        clock, bus: time, and word to the other processes.
        constants: texts for ``{company}`` and the like; they win over a file's own.
        by_number: dialled number (as in the trunk's DID) → flow.
        default_flow: flow of every other number.
        always_open: opening hours are not looked at (demonstrations, tests).
        zone: where the clocks of the flows' opening hours hang.
        closing: on which days off a schedule with ``holidays: closed`` is closed.

    What is in memory stays there: neither a broken database nor a broken file takes a flow from callers.
    """

    def __init__(
        self,
        repository: FlowRepository,
        studio: Studio,
        *,
        queues: QueueNames,
        clock: Clock,
        bus: Bus,
        constants: Mapping[str, str] | None = None,
        by_number: Mapping[str, str] | None = None,
        default_flow: str = "hotline",
        always_open: bool = False,
        zone: ZoneInfo = SHANGHAI,
        closing: HolidayClosing = HolidayClosing.STATUTORY,
        site: SiteHolidays | None = None,
    ) -> None:
        self._repository = repository
        self._studio = studio
        self._queues = queues
        self._clock = clock
        self._bus = bus
        self._constants = dict(constants or {})
        self._by_number = {_number(number): flow for number, flow in (by_number or {}).items()}
        self._default = default_flow
        self._always_open = always_open
        self._zone = zone
        self._closing = closing
        self._site = site
        self._active: dict[str, VoicedFlow] = {}
        self._loading = asyncio.Lock()
        self._complaints: dict[str, str] = {}
        self._unready: set[str] = set()
        self._lacking = asyncio.Event()

    @property
    def whole(self) -> bool:
        """Whether all flows that should be in force are, but for files with mistakes: those need a person."""
        return not self._unready

    async def lacking(self) -> None:
        """Return when a flow could not be put in force for lack of a voice or of the database."""
        await self._lacking.wait()

    def named(self, name: str) -> VoicedFlow | None:
        """Return a flow in force by name."""
        return self._active.get(name)

    def for_number(self, dialled: str) -> VoicedFlow | None:
        """Return the flow of a dialled number, or of a flow's own name; the default one for any other.

        ``None`` only while not even the default flow is ready.
        """
        name = self._by_number.get(_number(dialled))
        found = self._active.get(name) if name else self._active.get(dialled)
        return found or self._active.get(self._default)

    async def check(self, text: str | bytes, *, source: str) -> Flow:
        """Prove a flow without publishing it.

        Raises:
            FlowInvalid: with every mistake.
        """
        queues = await self._queues.queue_names()
        # Reading a large file takes a moment that calls in progress must not feel.
        flow = await asyncio.to_thread(
            load_flow, text, source=source, queues=queues, constants=self._constants
        )
        known = {*DELIVERED, *self._active, *await self._published(), flow.name}
        missing = [
            Problem(
                node.line, node.id, f"there is no flow “{node.flow}”; there are {', '.join(sorted(known))}"
            )
            for node in flow.nodes.values()
            if isinstance(node, OtherFlow) and node.flow not in known
        ]
        if missing:
            raise FlowInvalid(source, missing)
        return flow

    async def _published(self) -> frozenset[str]:
        """The flows of all processes; of this one alone where the database does not answer."""
        try:
            return await self._repository.names()
        except (SQLAlchemyError, OSError):
            return frozenset()

    async def publish(
        self, name: str, yaml_text: str, *, by: str, why: str = "", expected: int | None = None
    ) -> FlowVersion:
        """Store a new version, make its audio, and put it in force.

        Until the last step callers hear the old one; after any error they go on hearing it.

        Args:
            why, expected: see :meth:`ivr.repository.FlowRepository.add`.

        Raises:
            FlowInvalid: the flow has mistakes, or bears another name.
            SynthesisFailed: a prompt cannot be spoken.
            StaleVersion: somebody published meanwhile.
            Conflict: somebody else publishes the same flow.
        """
        try:
            flow = await self.check(yaml_text, source=f"{name}.yaml")
            if flow.name != name:
                message = f"flow: the file says “{flow.name}” but is published as “{name}”"
                raise FlowInvalid(f"{name}.yaml", [Problem(0, None, message)])
            version = await self._publish(flow, yaml_text, by, why, expected)
        except HuifangError as error:
            PUBLISHED.labels(error.code).inc()
            raise
        PUBLISHED.labels("ok").inc()
        return version

    async def _publish(
        self, flow: Flow, yaml_text: str, by: str, why: str, expected: int | None
    ) -> FlowVersion:
        checksum = _checksum(yaml_text)
        stored = await self._repository.add(
            name=flow.name,
            yaml=yaml_text,
            checksum=checksum,
            published_by=by,
            now=self._clock.now(),
            why=why,
            expected=expected,
        )
        voiced = await self._studio.voiced(flow, version=stored.version)
        now = self._clock.now()
        if await self._repository.activate(stored.version_id, now=now):
            self._put_in_force(voiced)
        self._bus.publish(FlowPublished(at=now, name=flow.name, version=stored.version))
        log.info("ivr_flow_published", flow=flow.name, version=stored.version, by=by)
        return FlowVersion(
            version_id=stored.version_id,
            name=stored.name,
            version=stored.version,
            checksum=checksum,
            published_at=stored.published_at,
            published_by=stored.published_by,
            active=True,
            why=stored.why,
        )

    async def versions(self, name: str) -> tuple[FlowVersion, ...]:
        """Return a flow's versions, newest first."""
        return await self._repository.versions(name)

    async def text(self, name: str, version: int) -> str:
        """Return the YAML of a version. Raises NotFound."""
        return await self._repository.text(name, version)

    async def load_active(self) -> None:
        """Load what is in force, and publish what came with the program where that is newer or missing.

        Never raises for a flow that cannot be loaded: the others are, and what is in memory stays.
        """
        async with self._loading:
            try:
                stored = await self._repository.active()
            except (SQLAlchemyError, OSError) as error:
                self._complain("ivr_flows_not_read", ALL, 0, error)
                for name in DELIVERED.keys() - self._active.keys():
                    await self._load(name, delivered(name), 0)
                return
            self._complaints.pop(ALL, None)
            self._expect(ALL, later=False)
            for name, (version, text) in stored.items():
                current = self._active.get(name)
                if current is None or current.version != version.version:
                    await self._load(name, text, version.version)
            for name in DELIVERED:
                await self._deliver(name, stored.get(name))

    async def _deliver(self, name: str, stored: tuple[FlowVersion, str] | None) -> None:
        """Publish the program's own text unless somebody has published theirs."""
        text = delivered(name)
        if stored is not None:
            version = stored[0]
            ours = version.published_by == PROGRAM
            if (not ours or version.checksum == _checksum(text)) and name in self._active:
                return
            if not ours:
                # Their version cannot be loaded, which was logged: ours serves meanwhile, unpublished.
                await self._load(name, text, 0)
                return
        try:
            # Spoken before it is stored: without a voice every further try would store a version more.
            await self._studio.voiced(await self.check(text, source=f"{name}.yaml"), version=0)
            await self.publish(name, text, by=PROGRAM)
        except SynthesisFailed as error:
            self._complain("ivr_flow_not_delivered", name, 0, error)
        except (HuifangError, SQLAlchemyError, OSError) as error:
            log.error("ivr_flow_not_delivered", flow=name, error=str(error)[:500])
            if name not in self._active:
                await self._load(name, text, 0)

    async def _load(self, name: str, text: str, version: int) -> None:
        try:
            flow = await self.check(text, source=f"{name}.yaml")
            self._put_in_force(await self._studio.voiced(flow, version=version))
        except (HuifangError, SQLAlchemyError, OSError) as error:
            self._complain("ivr_flow_not_loaded", name, version, error)

    def _complain(self, event: str, name: str, version: int, error: Exception) -> None:
        """Log what keeps a flow from callers, once, and note it if it may pass by itself."""
        said = str(error)[:500]
        if self._complaints.get(name) != said and not isinstance(error, VoiceMissing):
            log.error(event, flow=name, version=version, error=said)
        self._complaints[name] = said
        self._expect(name, later=isinstance(error, SynthesisFailed) or not isinstance(error, HuifangError))

    def _expect(self, name: str, *, later: bool) -> None:
        if later:
            self._unready.add(name)
            self._lacking.set()
        else:
            self._unready.discard(name)
            if not self._unready:
                self._lacking.clear()

    def _put_in_force(self, voiced: VoicedFlow) -> None:
        self._expect(voiced.flow.name, later=False)
        if self._complaints.pop(voiced.flow.name, None) is not None:
            log.info("ivr_flow_ready_after_all", flow=voiced.flow.name, version=voiced.version)
        current = self._active.get(voiced.flow.name)
        if current is None or voiced.version >= current.version:
            hours = {name: self._here(schedule) for name, schedule in voiced.flow.schedules.items()}
            self._active[voiced.flow.name] = replace(voiced, flow=replace(voiced.flow, schedules=hours))

    def _here(self, schedule: OpeningHours) -> OpeningHours:
        if self._always_open:
            return OpeningHours.always(self._zone)
        return replace(schedule, zone=self._zone, closing=self._closing, site=self._site)

    async def run(self) -> None:
        """Load again whenever another process publishes; ends only by cancellation."""
        async with self._bus.subscribe(FlowPublished, name="ivr-library", maxsize=100) as published:
            await self.load_active()
            async for item in published:
                current = None if isinstance(item, Lagged) else self._active.get(getattr(item, "name", ""))
                if current is None or current.version != getattr(item, "version", 0):
                    await self.load_active()


def delivered(name: str) -> str:
    """Return the text of a flow that came with the program.

    Raises:
        Invalid: there is none of that name.
    """
    if name not in DELIVERED:
        raise Invalid(f"no flow {name} comes with the program", field="name")
    return importlib.resources.files("ivr.flows").joinpath(DELIVERED[name]).read_text(encoding="utf-8")


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _number(dialled: str) -> str:
    """One spelling of a dialled number: a trunk may deliver ``01065558800`` or ``+861065558800``."""
    phone = Phone.parse_caller(dialled)
    return phone.e164 if phone is not None else dialled
