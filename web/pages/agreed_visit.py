"""The time of a visit that was promised or agreed on the telephone, for the forms that write it down."""

from aiohttp import web

from kernel.ids import is_ulid
from speech.rules.desk import agreed_visit
from web.deps import DEPS
from web.speech_access import may_read
from web.speech_rules_part import SPEECH_RULES

_INPUT = "%Y-%m-%dT%H:%M"


async def agreed_times(request: web.Request, call_id: str | None) -> dict[str, str]:
    """Return what stands in ``visit_from`` and ``visit_until`` at first: by this call, else the case's own.

    Nothing of a call that one may not read, or where no time that is still to come was spoken of.
    """
    for known in (request.query.get("call", ""), call_id or ""):
        if not is_ulid(known) or not await may_read(request, known):
            continue
        said = await request.app[SPEECH_RULES].suggester.said(known)
        visit = agreed_visit(said, after=request.app[DEPS].clock.now())
        if visit is not None:
            zone = request.app[DEPS].settings.timezone
            return {
                "visit_from": visit.since.astimezone(zone).strftime(_INPUT),
                "visit_until": visit.slot_until.astimezone(zone).strftime(_INPUT),
            }
    return {}
