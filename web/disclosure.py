"""Whole telephone numbers leave the system: who may look for them, and the audit log's word of each time."""

from collections.abc import Sequence

from aiohttp import web

from crm.search_query import Hit
from kernel.errors import Invalid
from kernel.phone import Phone, PhoneKind
from telephony.views import CallView
from web.actions import Action
from web.auth import ACCOUNTS
from web.identity import CLIENT_IP, CurrentUser
from web.masking import is_handling
from web.permissions import Permission


def refuse_probing(user: CurrentUser, number: str | None) -> None:
    """Let who sees masked numbers look for a whole one, but not feel out its digits part by part.

    Raises:
        Invalid: it is no whole number.
    """
    if not number or user.can(Permission.PHONES_FULL):
        return
    phone = Phone.parse_caller(number)
    if phone is None or phone.kind is PhoneKind.SHORT:
        raise Invalid("give the whole number", field="number")


async def note_phones_found(request: web.Request, user: CurrentUser, hits: Sequence[Hit]) -> None:
    """Log that a search gave out whole numbers."""
    given = [hit for hit in hits if hit.phones]
    if not given or not user.can(Permission.PHONES_FULL):
        return
    single = len(given) == 1
    await request.app[ACCOUNTS].audit.record(
        Action.PHONES_SHOWN,
        actor=user.login,
        ip=request[CLIENT_IP],
        entity=given[0].kind.value if single else "search",
        entity_id=given[0].ref_id if single else "",
        detail={} if single else {"hits": len(given), "first": given[0].ref_id, "last": given[-1].ref_id},
    )


async def note_numbers(request: web.Request, user: CurrentUser, calls: Sequence[CallView]) -> None:
    """Log that whole numbers are given out because of a permission, not because of a call in hand."""
    if not user.can(Permission.PHONES_FULL):
        return
    given = [call for call in calls if not is_handling(user, agent_id=call.agent_id, state=call.state)]
    if not given:
        return
    single = len(given) == 1
    await request.app[ACCOUNTS].audit.record(
        Action.PHONES_SHOWN,
        actor=user.login,
        ip=request[CLIENT_IP],
        entity="call",
        entity_id=given[0].call_id if single else "",
        detail={} if single else {"calls": len(given), "first": given[-1].call_id, "last": given[0].call_id},
    )
