"""What happened to a case, as the audit log has it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select

from kernel.audit import AuditRow
from kernel.db import Database

LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that somebody did; ``line_id`` is empty for the case as a whole."""

    at: datetime
    actor: str
    action: str
    line_id: str
    before: dict[str, Any]
    after: dict[str, Any]
    why: str


class CaseHistory:
    """Reads histories. Whoever asks has read the case: its id and the ids of its lines come from its view."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(
        self, entity: str, case_id: str, line_ids: Collection[str] = (), *, part: str = "line"
    ) -> tuple[Happening, ...]:
        """Return the newest :data:`LONGEST` happenings of a case and those of its lines, newest first.

        Args:
            entity: the kind of the case; what it consists of is noted under ``<kind>_<part>``.
        """
        about = [(AuditRow.entity == entity) & (AuditRow.entity_id == case_id)]
        if line_ids:
            about.append((AuditRow.entity == f"{entity}_{part}") & AuditRow.entity_id.in_(sorted(line_ids)))
        query = select(AuditRow).where(or_(*about)).order_by(AuditRow.seq.desc()).limit(LONGEST)
        async with self._database.session() as session:
            rows = (await session.scalars(query)).all()
        return tuple(
            Happening(
                at=row.at,
                actor=row.actor,
                action=row.action,
                line_id=row.entity_id if row.entity != entity else "",
                before=dict(row.detail.get("before", {})),
                after=dict(row.detail.get("after", {})),
                why=str(row.detail.get("why", "")),
            )
            for row in rows
        )
