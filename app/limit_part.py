"""Limits of cases in a running centre: what sweeps those that are due; who hears of an opinion that is."""

from app.settings import Settings
from crm.journal import Journal
from crm.limit_worker import LimitWorker
from crm.limits import LimitBook
from crm.opinion_notices import OpinionNotices
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database


def _book(settings: Settings, clock: Clock) -> LimitBook:
    return LimitBook(clock, hours=settings.service_hours, default_set=settings.centre.limit_set)


def limit_worker(settings: Settings, database: Database, clock: Clock, worker: str) -> LimitWorker:
    """Return what warns of limits and breaks them."""
    return LimitWorker(database, clock, _book(settings, clock), worker=worker)


def opinion_notices(settings: Settings, database: Database, clock: Clock) -> OpinionNotices:
    """Return what tells of opinions that are late."""
    return OpinionNotices(database, clock, Journal(AuditLog(database, clock)), _book(settings, clock))
