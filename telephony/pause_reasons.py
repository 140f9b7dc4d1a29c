"""Keeps the reasons of breaks: why agents take no calls, for how long, and what happens then."""

from dataclasses import dataclass, replace

from sqlalchemy import select

from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from telephony.agent_events import RosterChanged
from telephony.agent_seeds import is_code
from telephony.agent_tables import PauseReasonRow
from telephony.roster import check_pause_limit

MAX_LABEL = 40
MAX_POSITION = 999
MAX_REASONS = 100


class PauseReasonsUnfit(Conflict):
    """Agents could not work with the reasons; ``field`` says what to mend."""

    code = "pause_reasons_unfit"


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseReasonText:
    """A reason as it is written down.

    Attributes:
        limit_seconds: how long such a break may last; ``None`` for ever.
        ends_itself: then it ends; otherwise supervisors are told.
    """

    label_zh: str
    label_en: str
    position: int = 0
    active: bool = True
    limit_seconds: int | None = None
    ends_itself: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPauseReason:
    """A reason with its version; ``selectable`` false: only the system gives it, to agents who are away."""

    code: str
    version: int
    selectable: bool
    text: PauseReasonText


class PauseReasonBook:
    """Reads and changes them; a change is offered to agents with the next page they open."""

    def __init__(self, database: Database, clock: Clock, bus: Bus) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus
        self._audit = AuditLog(database, clock)

    async def all(self) -> tuple[KeptPauseReason, ...]:
        """Return all of them in their order, the retired ones, too."""
        query = select(PauseReasonRow).order_by(PauseReasonRow.position, PauseReasonRow.code)
        async with self._database.session() as session:
            return tuple(map(_view, await session.scalars(query)))

    async def put(
        self, actor: Actor, code: str | None, text: PauseReasonText, *, expected: int | None
    ) -> KeptPauseReason:
        """Add a reason (``code`` is ``None``), or change one; breaks keep what was said of them.

        Raises:
            Forbidden: the role does not keep the lists of the desk.
            NotFound: there is no such reason.
            Invalid: a text, a position or a time that cannot be.
            StaleVersion: somebody changed it meanwhile.
            PauseReasonsUnfit: agents would have none to pick, there are too many, or the system needs it.
        """
        actor.need(Permission.DESK_CONFIGURE)
        text = replace(
            text, label_zh=_label(text.label_zh, "label_zh"), label_en=_label(text.label_en, "label_en")
        )
        if not 0 <= text.position <= MAX_POSITION:
            raise Invalid(f"0 to {MAX_POSITION}", field="position")
        check_pause_limit(text.limit_seconds, ends_itself=text.ends_itself)
        async with self._database.transaction() as session:
            # All of them are locked: that one is left to pick depends on the others.
            rows = {row.code: row for row in await session.scalars(select(PauseReasonRow).with_for_update())}
            row = rows.get(code) if code is not None and is_code(code) else None
            if code is not None and row is None:
                raise NotFound("no such pause reason", field="code")
            before = _view(row) if row is not None else None
            if row is None:
                if len(rows) >= MAX_REASONS:
                    raise PauseReasonsUnfit("there are too many; use the retired ones again", field="code")
                # A letter first, as every code.
                row = PauseReasonRow(code=f"p{new_ulid().lower()}", version=0, selectable=True)
                rows[row.code] = row
                session.add(row)
            elif row.version != expected:
                raise StaleVersion("it was changed meanwhile; read it again", field="If-Match")
            if not row.selectable and (not text.active or text.limit_seconds is not None):
                raise PauseReasonsUnfit(
                    "the system gives this reason; only its name can change", field="active"
                )
            row.label_zh, row.label_en, row.position = text.label_zh, text.label_en, text.position
            row.active, row.limit_seconds, row.ends_itself = text.active, text.limit_seconds, text.ends_itself
            row.version += 1
            if not any(one.active and one.selectable for one in rows.values()):
                raise PauseReasonsUnfit("agents would have no reason to pick", field="active")
            found = _view(row)
            await self._audit.record(
                "pause_reason.put",
                actor=actor.name,
                ip=actor.ip,
                entity="pause_reason",
                entity_id=row.code,
                detail={"before": _plain(before), "after": _plain(found)},
                session=session,
            )
        self._bus.publish(RosterChanged(at=self._clock.now()))
        return found


def _label(text: str, field: str) -> str:
    label = " ".join(text.split())
    if not 0 < len(label) <= MAX_LABEL or not label.isprintable():
        raise Invalid(f"1 to {MAX_LABEL} characters", field=field)
    return label


def _view(row: PauseReasonRow) -> KeptPauseReason:
    return KeptPauseReason(
        code=row.code,
        version=row.version,
        selectable=row.selectable,
        text=PauseReasonText(
            label_zh=row.label_zh,
            label_en=row.label_en,
            position=row.position,
            active=row.active,
            limit_seconds=row.limit_seconds,
            ends_itself=row.ends_itself,
        ),
    )


def _plain(kept: KeptPauseReason | None) -> dict[str, object]:
    if kept is None:
        return {}
    text = kept.text
    return {name: getattr(text, name) for name in PauseReasonText.__dataclass_fields__}
