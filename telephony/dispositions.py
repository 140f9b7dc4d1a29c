"""Keeps the tree of dispositions: what agents may say became of a call."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from telephony.agent_seeds import is_code
from telephony.agent_tables import DispositionRow, QueueRow
from telephony.domain.disposition import Disposition, DispositionTree, Flaw, Need

MAX_LABEL = 40
MAX_POSITION = 999
_FIELDS = {
    Flaw.NO_PARENT: ("parent", "there is no such group"),
    Flaw.CIRCLE: ("parent", "a group cannot stand within itself"),
    Flaw.TOO_DEEP: ("parent", "at most three levels"),
    Flaw.TOO_MANY: ("code", "there are too many; use the retired ones again"),
    Flaw.GROUP_IN_USE: ("active", "retire what stands in the group first"),
    Flaw.NOTHING_LEFT: ("queues", "agents of a queue would have nothing to pick"),
}
assert set(_FIELDS) == set(Flaw)


class DispositionsUnfit(Conflict):
    """The tree would not be one that agents can work with; ``field`` says what to mend."""

    code = "dispositions_unfit"


@dataclass(frozen=True, slots=True, kw_only=True)
class DispositionText:
    """A disposition as it is written down; see :class:`telephony.domain.disposition.Disposition`."""

    label_zh: str
    label_en: str
    parent: str = ""
    queues: frozenset[str] = frozenset()
    needs: frozenset[Need] = frozenset()
    position: int = 0
    active: bool = True


class DispositionBook:
    """Reads and changes the tree; a change is offered to agents with the next page they open."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._audit = AuditLog(database, clock)

    async def tree(self) -> DispositionTree:
        """Return all of them, the retired ones, too."""
        async with self._database.session() as session:
            return await read_tree(session)

    async def put(
        self, actor: Actor, code: str | None, text: DispositionText, *, expected: int | None
    ) -> Disposition:
        """Add a disposition (``code`` is ``None``), or change one; calls keep what was said of them.

        Raises:
            Forbidden: the role does not keep the lists of the desk.
            NotFound: there is no such disposition.
            Invalid: a text, a queue or a position that cannot be.
            StaleVersion: somebody changed it meanwhile.
            DispositionsUnfit: the tree would not fit: a circle, too deep, or nothing left to pick.
        """
        actor.need(Permission.DESK_CONFIGURE)
        text = replace(
            text, label_zh=_label(text.label_zh, "label_zh"), label_en=_label(text.label_en, "label_en")
        )
        if not 0 <= text.position <= MAX_POSITION:
            raise Invalid(f"0 to {MAX_POSITION}", field="position")
        async with self._database.transaction() as session:
            queues = set(await session.scalars(select(QueueRow.name).where(QueueRow.active)))
            if unknown := sorted(text.queues - queues):
                raise Invalid(f"no queue {unknown[0][:32]}", field="queues")
            # Everything is locked: what is right of one depends on the others.
            rows = {row.code: row for row in await session.scalars(select(DispositionRow).with_for_update())}
            row = rows.get(code) if code is not None and is_code(code) else None
            if code is not None and row is None:
                raise NotFound("no such disposition", field="code")
            before = _plain(_view(row)) if row is not None else {}
            if row is None:
                # A letter first, as every code.
                row = DispositionRow(code=f"d{new_ulid().lower()}", version=0)
                rows[row.code] = row
                session.add(row)
            elif row.version != expected:
                raise StaleVersion("it was changed meanwhile; read it again", field="If-Match")
            row.label_zh, row.label_en = text.label_zh, text.label_en
            row.parent, row.position, row.active = text.parent or None, text.position, text.active
            row.queues, row.needs = sorted(text.queues), sorted(text.needs)
            row.version += 1
            flaw = DispositionTree(map(_view, rows.values())).flaw(row.code, sorted(queues))
            if flaw is not None:
                field, why = _FIELDS[flaw]
                raise DispositionsUnfit(why, field=field)
            found = _view(row)
            await self._audit.record(
                "disposition.put",
                actor=actor.name,
                ip=actor.ip,
                entity="disposition",
                entity_id=row.code,
                detail={"before": before, "after": _plain(found)},
                session=session,
            )
        return found


async def read_tree(session: AsyncSession) -> DispositionTree:
    """Return all dispositions."""
    return DispositionTree(map(_view, await session.scalars(select(DispositionRow))))


def _label(text: str, field: str) -> str:
    label = " ".join(text.split())
    if not 0 < len(label) <= MAX_LABEL or not label.isprintable():
        raise Invalid(f"1 to {MAX_LABEL} characters", field=field)
    return label


def _view(row: DispositionRow) -> Disposition:
    return Disposition(
        code=row.code,
        label_zh=row.label_zh,
        label_en=row.label_en,
        parent=row.parent or "",
        queues=frozenset(row.queues or ()),
        needs=frozenset(Need(need) for need in row.needs or ()),
        position=row.position,
        active=row.active,
        version=row.version,
    )


def _plain(item: Disposition) -> dict[str, Any]:
    return {
        "label_zh": item.label_zh,
        "label_en": item.label_en,
        "parent": item.parent,
        "queues": sorted(item.queues),
        "needs": sorted(need.value for need in item.needs),
        "position": item.position,
        "active": item.active,
    }
