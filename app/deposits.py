"""``huifang deposits``: what the rules for quality deposits ask for, posted; once a day is enough."""

import getpass

from app.settings import Settings
from app.store import open_store
from crm.deposit_rules import DepositRules, Posted
from crm.deposits import Deposits
from crm.journal import Journal
from kernel.access import Actor
from kernel.audit import AuditLog
from kernel.clock import SystemClock


async def post_due(settings: Settings) -> Posted:
    """Post what is due."""
    clock, zone = SystemClock(), settings.zone
    async with open_store(settings) as database:
        journal = Journal(AuditLog(database, clock))
        deposits = Deposits(database, clock, journal, zone=zone)
        rules = DepositRules(database, clock, journal, deposits, zone=zone)
        return await rules.run(Actor.system(f"command line ({getpass.getuser()})"))
