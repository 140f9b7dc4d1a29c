"""Writes what somebody did to a business record into the audit log, in the same transaction."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from crm.limit_steps import sign_withdrawn
from kernel.access import Actor
from kernel.audit import AuditLog

Values = Mapping[str, Any]


class Journal:
    """Notes changes. Call it last in the transaction: it takes the log's line until the commit."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    async def note(
        self,
        session: AsyncSession,
        actor: Actor,
        action: str,
        *,
        entity: str,
        entity_id: str,
        before: Values | None = None,
        after: Values | None = None,
        why: str = "",
    ) -> None:
        """Write one record. Only what differs between ``before`` and ``after`` is kept.

        Never put a telephone number or a password in it: the log is kept longer than either may be.
        """
        old, new = before or {}, after or {}
        changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        detail: dict[str, Any] = {"user_id": actor.user_id}
        if actor.department:
            detail["department"] = actor.department
        if old and changed:
            detail["before"] = {key: plain(old.get(key)) for key in changed}
        if new and changed:
            detail["after"] = {key: plain(new.get(key)) for key in changed}
        if why:
            detail["why"] = why[:400]
        await sign_withdrawn(session, actor.name, action)
        await self._audit.record(
            action,
            actor=actor.name,
            ip=actor.ip,
            entity=entity,
            entity_id=entity_id,
            detail=detail,
            session=session,
        )


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    match value:
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case Enum():
            return value.value
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case _:
            return value
