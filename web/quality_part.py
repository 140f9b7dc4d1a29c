"""Judging calls, as handlers reach it: ``request.app[QUALITY]``."""

from dataclasses import dataclass

from aiohttp import web

from kernel.audit import AuditLog
from telephony.quality import QualityReviews
from telephony.quality_forms import QualityBook
from web.deps import DEPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The services around judgements."""

    book: QualityBook
    reviews: QualityReviews


QUALITY: web.AppKey[Quality] = web.AppKey("QUALITY", Quality)


def setup(app: web.Application) -> None:
    """Build the services from what the web shell was given."""
    deps = app[DEPS]
    audit = AuditLog(deps.database, deps.clock)
    book = QualityBook(deps.database, deps.clock, audit)
    reviews = QualityReviews(deps.database, deps.clock, audit, book, zone=deps.settings.timezone)
    app[QUALITY] = Quality(book=book, reviews=reviews)
