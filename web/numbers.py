"""Which of a customer's numbers a person sees whole: all by permission, else that of the call in hand."""

from collections.abc import Iterable

from aiohttp import web

from kernel.errors import NotFound
from kernel.phone import Phone
from web.actions import Action
from web.auth import ACCOUNTS
from web.deps import DEPS
from web.identity import CLIENT_IP, CurrentUser, current_user
from web.masking import is_handling
from web.permissions import Permission


async def whole_numbers(request: web.Request, customer_id: str, numbers: Iterable[str]) -> frozenset[str]:
    """Return those of the numbers (E.164) that the caller sees whole; by permission is written to the log."""
    user = current_user(request)
    wanted = frozenset(numbers)
    if user.can(Permission.PHONES_FULL):
        if wanted:
            await request.app[ACCOUNTS].audit.record(
                Action.PHONES_SHOWN,
                actor=user.login,
                ip=request[CLIENT_IP],
                entity="customer",
                entity_id=customer_id,
            )
        return wanted
    held = await number_in_hand(request, user)
    return wanted & {held} if held else frozenset()


async def number_in_hand(request: web.Request, user: CurrentUser) -> str | None:
    """Return the number of the customer whom the person talks to right now, ``None`` without a call."""
    if user.agent_id is None:
        return None
    deps = request.app[DEPS]
    try:
        state = await deps.desk.state(user.agent_id)
        if state.call_id is None:
            return None
        call = await deps.history.get(state.call_id)
    except NotFound:
        return None
    if not is_handling(user, agent_id=call.agent_id, state=call.state):
        return None
    phone = Phone.parse_caller(
        call.to_number if call.direction == "out" else call.from_number,
        default_area=deps.settings.default_area,
    )
    return phone.e164 if phone else None
