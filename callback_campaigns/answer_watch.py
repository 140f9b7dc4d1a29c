"""Recordings that nobody has listened to for too long: customer service is told of each once."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import exists, literal, select

from callback_campaigns.talk_tables import CallbackVoiceRow
from callback_campaigns.task_tables import CallbackTaskRow
from crm.notices.events import NoticeWanted
from crm.notices.tables import Notice
from crm.office import Office
from kernel.outbox import add_fact

HEARD_WITHIN = timedelta(hours=4)
LOOKED_BACK = timedelta(days=14)
AT_ONCE = 50


async def tell_unheard(office: Office) -> int:
    """Tell customer service of recordings that nobody has heard for too long (domain.md §2.1)."""
    now = office.now()
    key = literal("callback.unheard|") + CallbackVoiceRow.id
    query = (
        select(CallbackVoiceRow, CallbackTaskRow.customer_id)
        .join(CallbackTaskRow, CallbackTaskRow.id == CallbackVoiceRow.task_id)
        .where(
            CallbackVoiceRow.heard_at.is_(None),
            CallbackVoiceRow.at < now - HEARD_WITHIN,
            CallbackVoiceRow.at > now - LOOKED_BACK,
            ~exists().where(Notice.dedupe_key == key),
        )
        .order_by(CallbackVoiceRow.at)
        .limit(AT_ONCE)
    )
    async with office.database.transaction() as session:
        found: Sequence[tuple[CallbackVoiceRow, str]] = [
            (row, customer_id) for row, customer_id in await session.execute(query)
        ]
        for row, customer_id in found:
            add_fact(
                session,
                NoticeWanted(
                    at=now,
                    code="callback.unheard",
                    key=f"callback.unheard|{row.id}",
                    parameters={"customer": customer_id},
                    link="/callback-voices",
                ),
            )
    return len(found)
