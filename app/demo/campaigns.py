"""A campaign of the demo company: finished customers were asked by the system, then it was paused.

Everything is done by the services: the list was imported, the calls were begun under every check, customers
answered with keys. It stays paused: nobody is called before a person lets it go on.
"""

import csv
import io
import random
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from app.demo.playing import StoryClock
from callback_campaigns.dial_attempts import DialAttempts, DialRequest
from callback_campaigns.domain import attempt as steps
from callback_campaigns.domain.attempt import Attempt
from callback_campaigns.domain.campaign import Campaign
from callback_campaigns.domain.early_media import Announcement, HeardBefore
from callback_campaigns.domain.questionnaire import Answer, NoSuchAnswer, answer_by_key
from callback_campaigns.domain.refusal import Switch
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.terms import Channel, Outcome
from callback_campaigns.domain.windows import CallWish
from callback_campaigns.task_tables import CallbackTaskRow
from crm.importing.service import Options
from crm.tables import Customer, CustomerPhone, Project
from kernel.access import Actor, Role
from kernel.bus import Bus
from kernel.db import Database
from kernel.holidays import CalendarYearMissing
from kernel.ids import new_ulid
from kernel.outbox import OutboxRow
from web.callback_part import Callbacks, build_callbacks
from web.crm_part import build_crm
from web.deps import WebSettings

BEGAN = timedelta(days=5)
WANTED, CALLED = 46, 31
STAGE_FINISHED = 85
MANAGER = Actor(user_id=new_ulid(), name="孟岚", role=Role.MANAGER)
OUTCOMES = (
    (Outcome.ANSWERED, 62),
    (Outcome.NO_ANSWER, 20),
    (Outcome.BUSY, 7),
    (Outcome.OFF, 6),
    (Outcome.REJECTED, 5),
)
SAID: dict[Outcome, tuple[int, HeardBefore]] = {
    Outcome.BUSY: (
        17,
        HeardBefore(
            announcement=Announcement.BUSY, text="您好，您拨打的用户正在通话中，请稍后再拨。", sure=0.95
        ),
    ),
    Outcome.OFF: (
        19,
        HeardBefore(announcement=Announcement.OFF, text="您好，您拨打的电话已关机。", sure=0.85),
    ),
}
"""Why the network ended a call, and what it said."""


class _Ground:
    """What the services stand on."""

    def __init__(self, settings: WebSettings, database: Database, clock: StoryClock) -> None:
        self.settings, self.database, self.clock, self.bus = settings, database, clock, Bus()


async def fill_campaigns(database: Database, settings: WebSettings, *, until: datetime) -> None:
    """Write the campaign; where nobody may be called in those days, it stays a draft."""
    clock = StoryClock(until - BEGAN)
    ground = _Ground(settings, database, clock)
    crm = build_crm(ground)
    part, office = build_callbacks(crm, ground), crm.people.office
    trunk = settings.trunks[0]
    view = await part.campaigns.create(
        MANAGER,
        {
            "name": "竣工客户满意度回访",
            "mode": "ivr",
            "kinds": ["JG"],
            "levels": ["B", "C"],
            "tasks_from": "list",
            "queue": "service",
            "trunk": trunk.name,
            "carrier": "own",
            "caller_id": trunk.caller_ids[0],
            "lines": min(6, trunk.lines),
            "starts_on": office.today(),
            "ends_on": office.today() + timedelta(days=30),
        },
    )
    campaign = view.campaign
    content = await _sheet(database)
    options = Options(good_rows_only=True, campaign_id=campaign.campaign_id)
    await part.contact_lists.run(MANAGER, content, "竣工客户.csv", options)
    async with database.session() as session:
        windows = (await part.tasks.calendar(session)).windows
    try:
        opens = windows.opens(clock.now(), CallWish(longest=timedelta(minutes=10)))
    except CalendarYearMissing:
        return
    if opens is None or opens > until - timedelta(days=1, hours=12):
        return
    clock.set(opens + timedelta(minutes=4))
    await part.campaigns.start(MANAGER, campaign.campaign_id, expected=None)
    attempts = DialAttempts(office, part.tasks, crm.people.do_not_call, settings.dialling)
    await _call(part, attempts, campaign, database, clock)
    await part.campaigns.pause(MANAGER, campaign.campaign_id, expected=None, reason="先看结果，下周继续")
    async with database.transaction() as session:
        await session.execute(delete(OutboxRow).where(OutboxRow.created_at < until - timedelta(days=1)))


async def _sheet(database: Database) -> bytes:
    """Return the list as the office would have written it."""
    query = (
        select(Customer.name, CustomerPhone.e164, Project.contract_no)
        .join(CustomerPhone, CustomerPhone.customer_id == Customer.id)
        .join(Project, Project.customer_id == Customer.id)
        .where(
            CustomerPhone.position == 0,
            Project.stage >= STAGE_FINISHED,
            Customer.level != "A",
            Customer.merged_into.is_(None),
            Customer.frozen_reason.is_(None),
        )
        .order_by(Project.contract_no)
        .limit(WANTED)
    )
    async with database.session() as session:
        rows = (await session.execute(query)).all()
    held = io.StringIO(newline="")
    writer = csv.writer(held)
    writer.writerow(["客户姓名", "电话", "合同号"])
    writer.writerows([name, e164.removeprefix("+86"), contract_no] for name, e164, contract_no in rows)
    return held.getvalue().encode("utf-8-sig")


async def _call(
    part: Callbacks, attempts: DialAttempts, campaign: Campaign, database: Database, clock: StoryClock
) -> None:
    dice = random.Random(11)  # noqa: S311 - a play, the same one each time
    for _ in range(CALLED):
        waiting = CallbackTaskRow.due_at <= clock.now()
        async with database.session() as session:
            mine = CallbackTaskRow.campaign_id == campaign.campaign_id
            due = (await session.scalars(select(CallbackTaskRow).where(mine, waiting))).all()
        await part.tasks.bring_due(due)
        chosen = await part.campaigns.ready(campaign, clock.now(), 1)
        if not chosen or chosen[0].number is None:
            break
        made = await attempts.begin(_request(campaign, chosen[0].task_id, chosen[0].number, clock))
        clock.set(clock.now() + timedelta(seconds=dice.randint(8, 25)))
        if isinstance(made, Attempt):
            await _goes(part, attempts, made, chosen[0].task_id, clock, dice)
        clock.set(clock.now() + timedelta(seconds=dice.randint(20, 70)))


def _request(campaign: Campaign, task_id: str, number: str, clock: StoryClock) -> DialRequest:
    now = clock.now()
    switch = Switch(
        caller_id=campaign.caller_id, link_live=True, as_of=now, lines=campaign.lines, per_second=1
    )
    return DialRequest(
        task_id=task_id,
        number=number,
        node="pbx1",
        trunk=campaign.trunk,
        carrier=campaign.carrier,
        switch=switch,
        campaign_id=campaign.campaign_id,
    )


async def _goes(
    part: Callbacks,
    attempts: DialAttempts,
    made: Attempt,
    task_id: str,
    clock: StoryClock,
    dice: random.Random,
) -> None:
    key = made.attempt_id
    (outcome,) = dice.choices([one for one, _ in OUTCOMES], [weight for _, weight in OUTCOMES])
    await attempts.move(key, lambda one: steps.rang(one, now=clock.now()))
    if outcome is Outcome.ANSWERED:
        await attempts.move(key, lambda one: steps.answered(one, now=clock.now()))
        await _talk(part, task_id, key, clock, dice)
    cause, heard = SAID.get(outcome, (None, None))
    await attempts.move(key, lambda one: steps.ended(one, outcome, now=clock.now(), cause=cause, heard=heard))


async def _talk(part: Callbacks, task_id: str, key: str, clock: StoryClock, dice: random.Random) -> None:
    talk = await part.talks.open(task_id, attempt_id=key, channel=Channel.IVR, by="ivr")
    content = dice.random() < 0.85
    for item in talk.items:
        clock.set(clock.now() + timedelta(seconds=dice.randint(9, 16)))
        try:
            answer: Answer = answer_by_key(item, "1" if content or dice.random() < 0.5 else "2", Channel.IVR)
            talk = await part.talks.answer(talk.talk_id, item.id, answer, by="ivr")
        except NoSuchAnswer:
            continue
    how = TalkEnding.FINISHED if dice.random() < 0.9 else TalkEnding.REFUSED
    await part.talks.end(talk.talk_id, how, by="ivr")
