"""The office of the CRM, for parts of the program that serve no pages."""

from app.settings import Settings
from crm.journal import Journal
from crm.office import Office
from crm.search_whole import whole_feed
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database


def office_of(settings: Settings, database: Database, clock: Clock) -> Office:
    """Return the office that the settings describe."""
    return Office(
        database=database,
        clock=clock,
        journal=Journal(AuditLog(database, clock)),
        zone=settings.zone,
        default_area=settings.centre.default_area,
        search=whole_feed(),
    )
