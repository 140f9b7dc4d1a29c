"""What is looked at before a signature counts: the signer's PIN, the scan of a paper."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.attachment_tables import AttachmentRow
from crm.attachments import Purpose
from crm.domain.handoff import SignatureKind, Signed
from crm.members import Members
from kernel.access import Actor
from kernel.db import Database
from kernel.errors import Forbidden, Invalid
from kernel.ids import is_ulid

Receipt = Callable[[Actor, Any], None]
"""Refuses who may not sign for a line or a part."""


class Signing:
    """Looks at signatures."""

    def __init__(self, database: Database, members: Members) -> None:
        self._database = database
        self._members = members

    async def check_pin(
        self, actor: Actor, given: Signed, what: type[Any], line_id: str, check: Receipt
    ) -> None:
        """Refuse another PIN than the signer's; before the transaction, since it takes its time.

        Who may not sign anyway is refused there. Raises Invalid, and TooMany after some attempts.
        """
        if given.kind is not SignatureKind.PIN or given.pin is None or not is_ulid(line_id):
            return
        async with self._database.session() as session:
            row = await session.get(what, line_id)
        with suppress(Forbidden):
            if row is not None:
                check(actor, row)
                await self._members.check_pin(actor.user_id, given.pin)

    async def check_scan(self, session: AsyncSession, case_id: str, given: Signed) -> None:
        """Refuse the signature on a paper whose scan is not in the case. Raises Invalid."""
        if given.kind is not SignatureKind.PAPER_SCAN:
            return
        known = select(AttachmentRow.id).where(
            AttachmentRow.case_id == case_id,
            AttachmentRow.purpose == Purpose.SCAN.value,
            AttachmentRow.sha256 == (given.scan_sha256 or "").lower(),
        )
        if await session.scalar(known.limit(1)) is None:
            raise Invalid("put the scan into the case first", field="signature.scan_sha256")
