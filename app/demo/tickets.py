"""Stories of problem tickets that callbacks found, and of closed cases that are looked at once more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from app.demo.complaints import specialist_of
from app.demo.homes import Home
from app.demo.playing import SIGNED, Scene, Steps
from crm.domain.ticket import ConvertWhy, Revisit
from crm.ticket_views import CallbackSource, NewRevisit

FOLLOWED = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a callback found out, and what becomes of it."""

    question: str
    answer: str
    text: str
    departments: tuple[str, ...]
    solution: str = ""
    class_code: int | None = None


class Fate(IntEnum):
    """How far a ticket comes."""

    OPEN = 0
    REFUSED = 1
    IN_HAND = 2
    SOLVED = 3
    VERIFIED = 4
    CLOSED = 5
    CONVERTED = 6


async def ticket(
    scene: Scene, finding: Finding, home: Home, number: int, fate: Fate, *, days: int = 0
) -> Steps:
    """Play a ticket as far as it comes.

    Args:
        days: the department takes so many days longer than it should.
    """
    tickets, specialist = scene.crm.tickets, specialist_of(scene, number)
    view = await tickets.tickets.open_from_callback(
        specialist,
        CallbackSource(
            customer_id=home.customer_id,
            project_id=home.project_id,
            text=finding.text,
            question=finding.question,
            answer=finding.answer,
            callback_ref=f"HF-{number:04d}",
            question_id=f"Q{number % 9 + 1}",
            class_code=finding.class_code,
        ),
        finding.departments,
    )
    if fate is Fate.OPEN:
        return
    yield scene.hours(0.3, 2)
    for part in view.parts:
        head = scene.office.head_of(part.department)
        assert head is not None, "the demo's departments have heads"
        if fate is Fate.REFUSED:
            await tickets.work.refuse(head, part.part_id, part.version, "非本部门施工内容，请转材料部")
            return
        await tickets.work.sign(head, part.part_id, part.version, SIGNED)
    view = await tickets.tickets.get(specialist, view.case_id)
    if fate is Fate.IN_HAND:
        return
    yield scene.hours(5, 20) + timedelta(days=days)
    for part in view.parts:
        head = scene.office.head_of(part.department)
        assert head is not None, "the demo's departments have heads"
        await tickets.work.solve(head, part.part_id, part.version, finding.solution)
    view = await tickets.tickets.get(specialist, view.case_id)
    if fate is Fate.SOLVED:
        return
    yield scene.hours(4, 20)
    if fate is Fate.CONVERTED:
        await tickets.end.convert(
            specialist,
            view.case_id,
            view.version,
            ConvertWhy.CUSTOMER,
            note="客户表示问题反复，要求按投诉处理",
        )
        return
    view = await tickets.end.revisit(
        specialist, view.case_id, view.version, NewRevisit(said=Revisit.SATISFIED, note="客户确认已解决")
    )
    if fate is Fate.VERIFIED:
        return
    yield scene.hours(0.5, 3)
    await tickets.end.close(specialist, view.case_id, view.version)


async def look_again(scene: Scene, texts: Sequence[str]) -> Steps:
    """Play the weekly look at closed cases: most of those that are drawn get a note, the newest wait."""
    follow_ups, manager = scene.crm.follow_ups, scene.office.manager
    since: datetime = scene.clock.now()
    while True:
        yield FOLLOWED
        now = scene.clock.now()
        drawn = await follow_ups.owed(manager, since, now, mine=False, limit=8)
        for place, found in enumerate(drawn[:6]):
            await follow_ups.note(
                manager, found.case.case_id, sound=place % 4 != 3, text=texts[place % len(texts)]
            )
        since = now
