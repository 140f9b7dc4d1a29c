"""Finds the customer whom a form means: by whole number, beginning of the name, or address of the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from crm.people import CustomerFilter
from crm.people_views import CustomerSummary
from kernel.errors import NotFound
from kernel.ids import is_ulid
from kernel.phone import Phone, PhoneKind
from web.deps import DEPS
from web.identity import current_actor
from web.pages.customer import services

MOST = 20
"""A name that more customers begin with is no choice to read."""


@dataclass(frozen=True, slots=True)
class Picked:
    """Who may be meant.

    Attributes:
        phone: the number, when a whole one was typed.
        found: who has that number or name; nobody, one, or several to choose from.
    """

    phone: Phone | None
    found: Sequence[CustomerSummary]


def whole_number(request: web.Request, text: str) -> Phone | None:
    """Return the number that somebody typed, ``None`` when it is a name or a short number."""
    if sum(letter.isdigit() for letter in text) < 5:
        return None
    phone = Phone.parse_caller(text, default_area=request.app[DEPS].settings.default_area)
    return None if phone is None or phone.kind is PhoneKind.SHORT else phone


async def pick(request: web.Request, text: str) -> Picked:
    """Return whom a text means."""
    people, actor = services(request).customers, current_actor(request)
    key = text.strip().rstrip("/").rsplit("/", 1)[-1]
    if is_ulid(key):
        try:
            present = (await people.get(actor, key)).customer_id
        except NotFound:
            return Picked(None, ())
        page = await people.page(actor, CustomerFilter(ids=[present]), limit=1)
        return Picked(None, page.items)
    phone = whole_number(request, text)
    if phone is None and not text.strip():
        return Picked(None, ())
    wanted = CustomerFilter(phone=phone) if phone else CustomerFilter(name=text.strip()[:40])
    return Picked(phone, (await people.page(actor, wanted, limit=MOST)).items)
