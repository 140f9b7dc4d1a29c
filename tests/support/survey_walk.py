"""Walks customers through questionnaires on a real Asterisk: they hear what is asked and press its key.

The dialplan, the AGI, the talks, the results and the tickets are the product's; only its voice is made of
tones (`tests.support.tone_voice`). What each walk has to come to is in `tests.support.walk_table`.
"""

import asyncio
import math
import re
from array import array
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from app.sipp.phone import AgentPhone, PhoneCall
from callback_campaigns.dial_attempts import DialRequest
from callback_campaigns.domain import attempt as attempts
from callback_campaigns.domain.attempt import Attempt
from callback_campaigns.domain.questionnaire import answer_by_key
from callback_campaigns.domain.refusal import Switch
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import CallbackType, Category, Channel, Origin
from callback_campaigns.questionnaire_sets import shipped
from callback_campaigns.talk_store import Talk
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.repair_terms import Route
from crm.repair_tables import RepairRow
from crm.tables import Customer, CustomerPhone, Project, ServiceCase
from crm.ticket_tables import TicketPart, TicketRow
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.callback_effects import Followed, make_followed
from tests.support.pbx import Pbx, running_pbx
from tests.support.people import AGENT
from tests.support.sipp import agent_phone, outside_phone
from tests.support.survey_calls import originate
from tests.support.surveys import SurveyCentre, survey_centre
from tests.support.tone_voice import Listener, ToneVoice
from tests.support.waiting import eventually
from tests.support.walk_table import POINT_CODES, RESPONSIBLE, Expected, Walk, expected

AT_ONCE: Final = 8
SPEECH: Final = array("h", [round(4000 * math.sin(index / 5)) for index in range(4800)])
CATEGORY: Final = {"TS": Category.CASE, "BX": Category.CASE, "JG": Category.WARRANTY, "LW": Category.ENQUIRY}


@dataclass
class Walked:
    """What became of one walk."""

    walk: Walk
    talk: Talk
    heard: Sequence[str]
    task_status: str
    departments: frozenset[str]
    tickets: dict[str, tuple[tuple[str, ...], bool]] = field(default_factory=dict)
    repairs: dict[str, int] = field(default_factory=dict)

    def wrong(self) -> list[str]:
        """Return what is not as the tables have it; empty when everything is."""
        want, talk = expected(self.walk), self.talk
        found = Expected(
            stored={item: answer.values[0] for item, answer in talk.answers.items() if answer.values},
            verdict=talk.verdict.value if talk.verdict is not None else "",
            score=talk.score,
            departments=self.departments,
            tickets=self.tickets,
            repairs=self.repairs,
        )
        pairs = [(name, getattr(want, name), getattr(found, name)) for name in Expected.__slots__]
        pairs.append(("ending", TalkEnding.FINISHED, talk.ended))
        pairs.append(("task", TaskStatus.DONE.value, self.task_status))
        if not self.walk.by_people:
            # In the order of the core list; one may be said again where a key came too late.
            pairs.append(("asked", list(self.walk.keys), [item for item, _ in groupby(self.heard)]))
        if self.walk.speaks:
            spoken = [item for item, key in self.walk.keys.items() if item in talk.bad]
            pairs.append(("spoken", {*spoken, shipped(self.walk.code).items[-1].id}, set(talk.voices)))
        return [
            f"{self.walk.name}: {name} {got}, not {wanted}" for name, wanted, got in pairs if wanted != got
        ]


@dataclass
class WalkLine:
    """A PBX, the surveys behind it, the customers' telephones and three agents."""

    pbx: Pbx
    site: SurveyCentre
    network: AgentPhone
    agents: "asyncio.Queue[str]"
    followed: Followed
    voice: ToneVoice
    _ringing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _recorded: set[Path] = field(default_factory=set)

    async def walk_all(
        self, walks: Iterable[Walk], *, told: Callable[[Walk], None] = lambda _: None
    ) -> list[str]:
        """Walk all of them, some at a time; return what was not as it should be."""
        made = list(walks)
        tasks = await self._write_down(made)
        gate = asyncio.Semaphore(AT_ONCE)
        found: list[Walked] = []

        async def one(walk: Walk, number: str, task_id: str) -> None:
            async with gate:
                led = self._by_people if walk.by_people else self._by_machine
                heard, talk = await led(walk, number, task_id)
                task = next(task for task in await self.site.centre.all() if task.task_id == task_id)
                departments = frozenset(talk.sets[0].departments)
                found.append(Walked(walk, talk, heard, task.status.value, departments))
                told(walk)

        async with asyncio.TaskGroup() as group:
            for walk, (number, task_id) in zip(made, tasks, strict=True):
                group.create_task(one(walk, number, task_id), name=walk.name)
        await self.followed.follow()
        tickets = await self._tickets()
        for walked in found:
            walked.tickets = tickets.get(walked.talk.task_id, {})
            walked.repairs = await self.followed.repairs(walked.talk.task_id)
        return [line for walked in found for line in walked.wrong()]

    async def _by_machine(self, walk: Walk, number: str, task_id: str) -> tuple[list[str], Talk]:
        attempt, phone = await self._called(number, task_id)
        heard: list[str] = []
        async for text in Listener(self.voice, phone).texts():
            item = _item_of(walk, text)
            if item is not None:
                heard.append(item)
                await phone.press(walk.keys[item])
            elif text == TONE:
                await self._speaks(attempt, phone)
            elif "本人或家人" in text or "继续回访请按1" in text or "现在方便请按1" in text:
                await phone.press("1")
            elif "滴声后" in text and not walk.speaks:
                await phone.press("#")
        assert phone.ended_by == "far", walk.name
        # What was answered last may still be on its way into the database.
        await eventually(lambda: self._has_ended(attempt), timeout=30, what=walk.name)
        await self.site.over(attempt)
        return heard, await self.site.talk(attempt)

    async def _has_ended(self, attempt: Attempt) -> bool:
        return (await self.site.talk(attempt)).ended is not None

    async def _speaks(self, attempt: Attempt, phone: PhoneCall) -> None:
        """Say something once the recording has begun."""
        folder = self.site.answers / (await self.site.talk(attempt)).talk_id
        begun = self._recorded
        await eventually(lambda: set(folder.rglob("*.wav")) - begun, timeout=30, what="recording")
        self._recorded |= set(folder.rglob("*.wav"))
        phone.handset.say(SPEECH)
        phone.handset.press("#")

    async def _by_people(self, walk: Walk, number: str, task_id: str) -> tuple[list[str], Talk]:
        number_of_agent = await self.agents.get()
        try:
            async with agent_phone(self.pbx, number_of_agent) as agent:
                return [], await self._asked_by(agent, walk, number, task_id)
        finally:
            self.agents.put_nowait(number_of_agent)

    async def _asked_by(self, agent: AgentPhone, walk: Walk, number: str, task_id: str) -> Talk:
        attempt, phone = await self._called(number, task_id, agent=agent)
        await self.site.centre.attempts.move(
            attempt.attempt_id, lambda one: attempts.answered(one, now=self.site.centre.clock.now())
        )
        talks, by = self.site.talks, AGENT.name
        talk = await talks.open(
            task_id, attempt_id=attempt.attempt_id, channel=Channel.AGENT, by=by, actor=AGENT
        )
        for item_id, key in walk.keys.items():
            item = talk.item(item_id)
            assert item is not None, f"{walk.name} {item_id}"
            answer = answer_by_key(item, key, Channel.AGENT)
            talk = await talks.answer(talk.talk_id, item_id, answer, by=by, actor=AGENT)
        talk = await talks.end(talk.talk_id, TalkEnding.FINISHED, by=by, actor=AGENT)
        assert phone.up, walk.name
        await phone.hang_up()
        await self.site.over(attempt)
        await eventually(lambda: all(call.ended_by for call in agent.calls), timeout=30)
        return await self.site.talk(attempt)

    async def _called(
        self, number: str, task_id: str, *, agent: AgentPhone | None = None
    ) -> tuple[Attempt, PhoneCall]:
        """Call somebody who picks up at once."""
        attempt = await self._begin(number, task_id)
        # One rings after the other, so that each phone knows its call.
        async with self._ringing:
            await originate(self.pbx, attempt, number, agent=agent.number if agent else None)
            if agent is not None:
                await (await agent.rings(within=30)).answer()
            phone = await self.network.rings(within=30)
        await phone.answer()
        return attempt, phone

    async def _begin(self, number: str, task_id: str) -> Attempt:
        now = self.site.centre.clock.now()
        switch = Switch(caller_id="01065558800", link_live=True, as_of=now, lines=1000, per_second=1000)
        wanted = DialRequest(
            task_id=task_id, number=number, node="pbx1", trunk="main", carrier="own", switch=switch
        )
        attempt = await self.site.centre.attempts.begin(wanted)
        assert isinstance(attempt, Attempt), attempt
        return attempt

    async def _tickets(self) -> dict[str, dict[str, tuple[tuple[str, ...], bool]]]:
        """Return every ticket by task and question: departments, and whether it is a complaint now."""
        found: dict[str, dict[str, tuple[tuple[str, ...], bool]]] = {}
        async with self.site.centre.database.session() as session:
            query = select(TicketRow, ServiceCase.status).join(
                ServiceCase, ServiceCase.id == TicketRow.case_id
            )
            parts = (await session.scalars(select(TicketPart).order_by(TicketPart.position))).all()
            for row, status in (await session.execute(query)).all():
                desks = tuple(part.department_code for part in parts if part.case_id == row.case_id)
                mine = found.setdefault(row.callback_ref or "", {})
                mine[row.question_id or ""] = (desks, status == CaseStatus.CONVERTED.value)
        return found

    async def _write_down(self, walks: Sequence[Walk]) -> list[tuple[str, str]]:
        """Write each walk's customer with a callback that waits; return number and task."""
        now = self.site.centre.clock.now()
        made = []
        async with self.site.centre.database.transaction() as session:
            for place, walk in enumerate(walks):
                number, rows, task_id = f"+86139{place:08d}", *_rows(walk, place, now)
                for row in rows:
                    session.add(row)
                    await session.flush()
                customer_id = next(row.id for row in rows if isinstance(row, Customer))
                session.add(CustomerPhone(customer_id=customer_id, e164=number, kind="mobile"))
                made.append((number, task_id))
        return made


TONE: Final = "嘀"


def _item_of(walk: Walk, text: str) -> str | None:
    """Return which question of a walk was heard."""
    for item_id in walk.keys:
        item = shipped(walk.code).item(item_id)
        assert item is not None
        if all(part in text for part in re.split(r"\{\w+\}", item.ask)):
            return item_id
    return None


def _rows(walk: Walk, place: int, now: datetime) -> tuple[list[Any], str]:
    customer_id, project_id, task_id, case_id = (new_ulid() for _ in range(4))
    asks_preference = "KG9" in walk.keys
    rows: list[Any] = [
        Customer(
            id=customer_id,
            name="王建军",
            salutation="先生",
            level=walk.level,
            preferred_channel="phone" if asks_preference else "wechat",
            created_at=now,
        ),
        Project(
            id=project_id,
            contract_no=f"ZX-W-{place}",
            customer_id=customer_id,
            address="锦秋家园6-1203",
            community="锦秋家园",
            stage=50,
            started_on=(now - timedelta(days=9 if walk.late_start else 1)).date(),
        ),
    ]

    def case(kind: CaseKind, status: CaseStatus, case_id: str) -> ServiceCase:
        return ServiceCase(
            id=case_id,
            no=f"X{place}-{kind.value}-{status.value}",
            kind=kind.value,
            customer_id=customer_id,
            project_id=project_id,
            department_code=RESPONSIBLE,
            status=status.value,
            summary="卫生间漏水",
            opened_at=now - timedelta(days=2),
        )

    about = {"TS": (CaseKind.COMPLAINT, CaseStatus.DONE), "BX": (CaseKind.REPAIR, CaseStatus.VISITED)}
    if walk.code in about:
        rows.append(case(*about[walk.code], case_id))
    if walk.by_captain:
        rows.append(
            RepairRow(
                case_id=case_id,
                place="卫生间",
                repair_class="in_warranty",
                warranty={},
                original_crew_left=True,
                chain_at=now - timedelta(days=2),
                route=Route.CAPTAIN.value,
            )
        )
    elif walk.earlier and walk.code in {"YB", "ZQ", "JG"}:
        kind = CaseKind.REPAIR if walk.code == "JG" else CaseKind.TICKET
        rows.append(case(kind, CaseStatus.CLOSED, new_ulid()))
    rows.append(
        CallbackTaskRow(
            id=task_id,
            key=f"walk:{task_id}",
            current_key=f"{project_id}:{walk.code}",
            kind=CallbackType(walk.code).value,
            category=CATEGORY.get(walk.code, Category.SITE).value,
            status=TaskStatus.READY.value,
            customer_id=customer_id,
            project_id=project_id,
            case_id=case_id if walk.code in about else None,
            point=POINT_CODES.get(walk.point, ""),
            level=walk.level,
            channel=(Channel.AGENT if walk.by_people else Channel.IVR).value,
            origin=Origin.MANUAL.value,
            origin_ref="walk",
            call_at=now - timedelta(hours=1),
            tried=[],
            created_at=now,
            tries=0,
        )
    )
    return rows, task_id


@asynccontextmanager
async def walk_line(folder: Path, database: Database, clock: FakeClock) -> AsyncIterator[WalkLine]:
    """Have everything that a walk needs."""
    voice = ToneVoice(folder / "chords")
    async with running_pbx(folder) as pbx:
        served = survey_centre(
            folder,
            database,
            clock,
            port=pbx.config.agi_port,
            speaking=voice,
            tone=voice.path(TONE),
            # Of a machine that others use the patience of customers is not asked.
            open_within=timedelta(seconds=30),
        )
        agents: asyncio.Queue[str] = asyncio.Queue()
        for one in pbx.config.agents:
            agents.put_nowait(one.number)
        async with served as site, outside_phone(pbx, "outside") as network:
            yield WalkLine(pbx, site, network, agents, await make_followed(site.led), voice)
