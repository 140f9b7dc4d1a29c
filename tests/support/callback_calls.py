"""A callback in the demo company that is just being dialled: for tests of what agents see."""

from sqlalchemy import select, update

from callback_campaigns.domain.plan_rules import TriggerKind, When
from callback_campaigns.domain.planning import Trigger
from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.forms import make_link
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from crm.tables import Customer, Project
from kernel.business_time import SHANGHAI
from kernel.ids import new_ulid
from kernel.phone import Phone
from tests.support.web_stage import Stage
from web.callback_part import CALLBACKS

NUMBER = "13800138001"


async def ready_task(stage: Stage, kind: CallbackType = CallbackType.START, *, name: str = "王建军") -> str:
    """Return the id of a callback that may be dialled now."""
    assert stage.app is not None
    now = stage.clock.now()
    async with stage.database.transaction() as session:
        customer = (await session.scalars(select(Customer).where(Customer.name == name))).one()
        theirs = select(Project.id).where(Project.customer_id == customer.id).order_by(Project.id).limit(1)
        trigger = Trigger(
            when=When(TriggerKind.MANUAL),
            ref=new_ulid(),
            at=now,
            on=now.astimezone(SHANGHAI).date(),
            customer_id=customer.id,
            project_id=await session.scalar(theirs),
        )
        task = await stage.app[CALLBACKS].tasks.plan_by_hand(session, kind, trigger)
        assert task is not None
        ready = update(CallbackTaskRow).where(CallbackTaskRow.id == task.task_id)
        await session.execute(ready.values(status="ready", call_at=now, due_at=None))
    return task.task_id


async def sent_form(
    stage: Stage, kind: CallbackType = CallbackType.START, **customer: str
) -> tuple[str, str]:
    """Return the callback of a customer who was not reached, and the token of the form they were sent."""
    assert stage.app is not None
    task_id = await ready_task(stage, kind)
    async with stage.database.transaction() as session:
        task = await session.get_one(CallbackTaskRow, task_id)
        task.status, task.ended_at, task.result_code = "unreached", stage.clock.now(), "not_reached"
        who = await session.get_one(Customer, task.customer_id)
        task.level = who.level = "B"
        for name, value in customer.items():
            setattr(who, name, value)
        token = await make_link(session, stage.app[CALLBACKS].forms.office, task_id)
    assert token is not None
    return task_id, token


async def dial(stage: Stage, task_id: str, *, state: str = "ringing", agent: str | None = "李娜") -> str:
    """Have a callback dialled; return the attempt, whose id is the call's."""
    now, attempt_id = stage.clock.now(), new_ulid()
    async with stage.database.transaction() as session:
        task = await session.get_one(CallbackTaskRow, task_id)
        task.status, task.attempt_id, task.attempt_at = "dialling", attempt_id, now
        session.add(
            DialAttemptRow(
                id=attempt_id,
                channel_id=f"att-{attempt_id}",
                task_id=task_id,
                customer_id=task.customer_id,
                number=Phone.parse(NUMBER).e164,
                node="pbx1",
                trunk="main",
                agent=agent,
                state=state,
                survey=True,
                began_at=now,
                since=now,
            )
        )
    return attempt_id


async def picked_up(stage: Stage, attempt_id: str) -> None:
    """Have the customer answer."""
    async with stage.database.transaction() as session:
        row = await session.get_one(DialAttemptRow, attempt_id)
        row.state, row.answered_at = "answered", stage.clock.now()
