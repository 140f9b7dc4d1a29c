"""What deciding how long things stay needs of others, and what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.retention import RetentionClass


@dataclass(frozen=True, slots=True, kw_only=True)
class OldCallback:
    """A callback that ended, and what it was about."""

    task_id: str
    project_id: str | None
    case_id: str | None
    at: datetime


class CallShelf(Protocol):
    """The calls, which telephony keeps, and their recordings."""

    async def older(
        self, session: AsyncSession, before: datetime, after: str, limit: int
    ) -> Sequence[tuple[str, str | None, datetime]]:
        """Return id, customer and moment of calls that still name somebody, in the order of their ids."""
        ...

    async def erase(self, session: AsyncSession, call_ids: Sequence[str]) -> None:
        """Take numbers and names out of calls, delete their recordings; their figures stay."""
        ...


class Messages(Protocol):
    """Files of messages that callers left after the tone."""

    async def drop(
        self,
        session: AsyncSession,
        *,
        calls: Sequence[str] = (),
        customers: Sequence[str] = (),
        numbers: Sequence[str] = (),
    ) -> None:
        """Delete the files of messages left in these calls, by these customers or from these numbers."""
        ...


class Logs(Protocol):
    """What was written about everything that happened, to find out later why."""

    async def blot_out(self, words: Sequence[str]) -> int:
        """Make words illegible wherever they stand. Raises OSError."""
        ...


class Callbacks(Protocol):
    """Callbacks, which the campaigns keep: their calls, what was said, its recordings."""

    async def projects(self, session: AsyncSession, call_ids: Sequence[str]) -> Mapping[str, str | None]:
        """Return those of the calls with the project that each was about."""
        ...

    async def cases(self, session: AsyncSession, call_ids: Sequence[str]) -> Mapping[str, str]:
        """Return those of the calls that somebody made from the page of a case, with the case."""
        ...

    async def older(
        self, session: AsyncSession, before: datetime, after: str, limit: int
    ) -> Sequence[OldCallback]:
        """Return callbacks that ended, in the order of their ids; those that were erased as well."""
        ...

    async def answers(self, session: AsyncSession, customer_id: str) -> Sequence[dict[str, Any]]:
        """Return what a customer answered, question by question, as their copy shows it."""
        ...

    async def recordings(self, session: AsyncSession, customer_id: str) -> Sequence[dict[str, Any]]:
        """Return what they said in their own words, and whether it was written down."""
        ...

    async def drop_recordings(self, session: AsyncSession, task_ids: Sequence[str]) -> None:
        """Delete the files of what was said in these callbacks."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A record whose end has come."""

    kind: str
    ref_id: str
    retention_class: RetentionClass
    ended_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Why a customer's data is kept: a case of theirs is held."""

    customer_id: str
    case_id: str
    no: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldView:
    """A hold of a case."""

    hold_id: str
    case_id: str
    no: str
    reason: str
    by: str
    at: datetime
    released_at: datetime | None
    released_by: str | None
    release_reason: str | None
