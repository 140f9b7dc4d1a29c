"""Tasks follow the level of their customer and the severity of their case after they were planned."""

from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.regrading import regraded
from callback_campaigns.task_hours import store_of
from callback_campaigns.task_store import locked, to_task
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.customer import Level
from crm.events_cases import SeverityRaised
from crm.events_people import LevelSet
from crm.office import current_id
from crm.tables import Customer, ServiceCase
from kernel.errors import NotFound

if TYPE_CHECKING:
    from callback_campaigns.tasks import CallbackTasks

BY = "timers"


async def regrade(session: AsyncSession, tasks: "CallbackTasks", fact: SeverityRaised | LevelSet) -> None:
    """Have the open tasks of a case or customer asked as the rules want it now.

    Raises:
        IllegalStep: a call about one of them is on; try again when it is over.
    """
    if isinstance(fact, SeverityRaised):
        mine = CallbackTaskRow.case_id == fact.case_id
    else:
        try:
            mine = CallbackTaskRow.customer_id == await current_id(session, fact.customer_id)
        except NotFound:
            return
    for row in await locked(session, mine, CallbackTaskRow.current_key.is_not(None)):
        task = to_task(row)
        rule = tasks.rules.of(task.kind, await store_of(session, task))
        customer = await session.get_one(Customer, task.customer_id)
        case = await session.get(ServiceCase, task.case_id) if task.case_id else None
        level, severity = Level(customer.level), case.severity if case is not None else None
        step = partial(regraded, rule=rule, level=level, severity=severity)
        await tasks.apply_to(session, row, "regraded", step, by=BY)
