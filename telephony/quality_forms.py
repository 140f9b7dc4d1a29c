"""The form by which calls are judged: every version, the newest in force."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Invalid, NotFound, StaleVersion
from telephony.domain.quality import Form, parse_form
from telephony.quality_tables import QualityFormRow

MAX_WHY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FormVersion:
    """A form as it was published once; 0 is what comes with the product."""

    version: int
    text: str
    why: str = ""
    created_at: datetime | None = None
    created_by: str = ""


class QualityBook:
    """Keeps the form: every version, the newest in force."""

    def __init__(self, database: Database, clock: Clock, audit: AuditLog) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit

    async def current(self) -> FormVersion:
        """Return the form in force."""
        query = select(QualityFormRow).order_by(QualityFormRow.version.desc()).limit(1)
        async with self._database.session() as session:
            row = await session.scalar(query)
        return _version(row) if row is not None else FormVersion(version=0, text=shipped_form())

    async def form(self, version: int | None = None) -> Form:
        """Return a form, that in force unless a version is named. Raises NotFound."""
        if version is None:
            found = await self.current()
        elif version == 0:
            found = FormVersion(version=0, text=shipped_form())
        else:
            async with self._database.session() as session:
                row = await session.get(QualityFormRow, version)
            if row is None:
                raise NotFound("no such form", field="version")
            found = _version(row)
        return parse_form(found.text, version=found.version)

    async def versions(self, actor: Actor) -> tuple[FormVersion, ...]:
        """Return what was published, the newest first, fifty at most. Raises Forbidden."""
        actor.need(Permission.QUALITY_SCORE)
        query = select(QualityFormRow).order_by(QualityFormRow.version.desc()).limit(50)
        async with self._database.session() as session:
            return tuple(_version(row) for row in await session.scalars(query))

    async def publish(self, actor: Actor, text: str, *, why: str, expected: int) -> FormVersion:
        """Put a form in force for what is judged from now on; what was begun keeps its own.

        Raises:
            Forbidden: the role changes no forms.
            FormInvalid: with every mistake.
            Invalid: no reason, or a too long one.
            StaleVersion: somebody published meanwhile.
        """
        actor.need(Permission.QUALITY_CONFIGURE)
        text, why = text.replace("\r\n", "\n"), " ".join(why.split())
        if not 1 <= len(why) <= MAX_WHY:
            raise Invalid(f"1 to {MAX_WHY} characters: say what was changed", field="why")
        parse_form(text)
        stale = StaleVersion("the form was changed meanwhile; read it again", field="If-Match")
        async with self._database.transaction() as session:
            before = await session.scalar(select(func.max(QualityFormRow.version))) or 0
            if before != expected:
                raise stale
            row = QualityFormRow(
                version=before + 1,
                text=text,
                why=why,
                created_at=self._clock.now(),
                created_by=actor.name[:80],
            )
            session.add(row)
            try:
                await session.flush()
            except IntegrityError as error:
                raise stale from error
            await self._audit.record(
                "quality.form_set",
                actor=actor.name,
                ip=actor.ip,
                entity="quality_form",
                entity_id=str(row.version),
                detail={"user_id": actor.user_id, "why": why},
                session=session,
            )
            return _version(row)


@cache
def shipped_form() -> str:
    """Return the form that comes with the product."""
    return files("telephony").joinpath("quality_form.yaml").read_text(encoding="utf-8")


def _version(row: QualityFormRow) -> FormVersion:
    return FormVersion(
        version=row.version,
        text=row.text,
        why=row.why,
        created_at=row.created_at,
        created_by=row.created_by,
    )
