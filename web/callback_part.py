"""Callback tasks as handlers reach them: ``request.app[CALLBACKS]``."""

from dataclasses import dataclass

from aiohttp import web

from callback_campaigns.gate_desk import GateDesk
from callback_campaigns.rule_files import shipped_dialling, shipped_plan
from callback_campaigns.task_desk import CallbackDesk
from callback_campaigns.tasks import CallbackTasks
from web.crm_part import CRM, CrmServices


@dataclass(frozen=True, slots=True)
class Callbacks:
    """The tasks themselves, and what people see and decide of them."""

    tasks: CallbackTasks
    desk: CallbackDesk
    gates: GateDesk


CALLBACKS: web.AppKey[Callbacks] = web.AppKey("CALLBACKS", Callbacks)


def build_callbacks(crm: CrmServices) -> Callbacks:
    """Return the services over the CRM's."""
    office = crm.people.office
    plan = shipped_plan()
    tasks = CallbackTasks(office, plan, shipped_dialling(office.zone), crm.limits.calendar)
    return Callbacks(tasks, CallbackDesk(office, tasks), GateDesk(office, plan))


def setup(app: web.Application) -> None:
    """Build the services from what the web shell was given."""
    app[CALLBACKS] = build_callbacks(app[CRM])
