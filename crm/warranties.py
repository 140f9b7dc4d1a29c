"""Warranty cards 保修单 as they were issued, as far as repairs need to know (domain.md §1.10).

A card says more than the project's own columns: prepared only, partial, excluded, and which items are left
out. What is written here is what the next repair's snapshot takes; earlier snapshots stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import select

from crm.cases import tidy_text
from crm.domain.lines import one_line
from crm.domain.project import Stage
from crm.domain.warranty import WarrantyFlag, WarrantyItem, excluded_words, last_day
from crm.domain.warranty_terms import MAX_NAME, MAX_WHY, Terms, checked_items, default_items, shipped_terms
from crm.journal import Journal
from crm.repair_input import card_of
from crm.repair_tables import WarrantyRow
from crm.repair_views import ItemView, item_views
from crm.tables import Project
from crm.warranty_items import accepted_on, items_of, put_items
from kernel.access import Actor, Permission
from kernel.business_time import SHANGHAI
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid

ENTITY = "warranty"
MAX_EXCLUDED = 50
LONGEST_OF_ITEM = MAX_NAME + MAX_WHY + 1
WRITTEN = frozenset({WarrantyFlag.PRE, WarrantyFlag.FULL, WarrantyFlag.PARTIAL, WarrantyFlag.EXCLUDED})
"""Flags that somebody writes down; the others follow from the day and from there being no card."""


class NotPaid(Conflict):
    """A warranty is issued once the final amount was paid (domain.md §1.10, guards)."""

    code = "not_paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class WarrantyCard:
    """A card.

    Attributes:
        excluded: what is not covered, each with its reason.
        items: what the home is warranted for; empty where the card does not say.
        proposed: what the company's terms give, while nothing is written down.
        version: 0 when nothing is written down yet.
    """

    project_id: str
    flag: WarrantyFlag
    no: str | None
    issued_on: date | None
    until: date | None
    excluded: tuple[str, ...]
    written_by: str | None
    version: int
    items: tuple[ItemView, ...] = ()
    proposed: tuple[ItemView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCard:
    """What is written on a card.

    Attributes:
        items: then ``excluded`` follows from them, and ``until`` unless it is given.
    """

    flag: WarrantyFlag
    no: str | None = None
    issued_on: date | None = None
    until: date | None = None
    excluded: Sequence[str] = ()
    items: Sequence[WarrantyItem] = ()


class Warranties:
    """Writes cards down and shows them.

    Args:
        terms: what a home is warranted for, and how long.
        zone: the site's; days are its days.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        journal: Journal,
        *,
        zone: ZoneInfo = SHANGHAI,
        terms: Terms | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._zone = zone
        self._terms = terms if terms is not None else shipped_terms()

    async def get(self, actor: Actor, project_id: str) -> WarrantyCard:
        """Return what is known of a home's warranty; version 0 when it comes from the project alone.

        Raises:
            Forbidden: the role sees no projects.
            NotFound: no such project.
        """
        actor.need(Permission.PROJECTS_VIEW)
        async with self._database.session() as session:
            card, _ = await card_of(session, project_id)
            row = await session.get(WarrantyRow, project_id)
            project = await session.get_one(Project, project_id)
            accepted = await accepted_on(session, project) if row is None else None
        assert card is not None, "a project has a card, if an empty one"
        today = self._clock.now().astimezone(self._zone).date()
        proposed = default_items(self._terms, accepted) if accepted is not None else ()
        return WarrantyCard(
            project_id=project_id,
            flag=card.flag or (WarrantyFlag.FULL if card.no or card.until else WarrantyFlag.NONE),
            no=card.no,
            issued_on=row.issued_on if row else None,
            until=card.until,
            excluded=card.excluded,
            written_by=row.written_by if row else None,
            version=row.version if row else 0,
            items=item_views(card.items, today),
            proposed=item_views(proposed, today),
        )

    async def write(self, actor: Actor, project_id: str, *, expected: int, card: NewCard) -> WarrantyCard:
        """Write a card down, or correct it.

        Raises:
            Forbidden: the role does not edit projects.
            NotFound: no such project.
            StaleVersion: somebody wrote it since.
            NotPaid: it is issued before the final amount was paid.
            Invalid: a flag that nobody writes, days out of order, items that do not fit the flag.
        """
        actor.need(Permission.PROJECTS_EDIT)
        new = _checked(card, self._terms)
        async with self._database.transaction() as session:
            query = select(Project).where(Project.id == project_id).with_for_update(of=Project)
            project = await session.scalar(query) if is_ulid(project_id) else None
            if project is None:
                raise NotFound("no such project", field="project_id")
            if new.flag in {WarrantyFlag.FULL, WarrantyFlag.PARTIAL} and project.stage < Stage.FINAL_PAID:
                raise NotPaid("the final amount has not been paid", field="flag")
            row = await session.get(WarrantyRow, project_id)
            if (row.version if row else 0) != expected:
                raise StaleVersion("somebody else wrote the card; read it again", field="If-Match")
            before = _values(row) | {"items": _shown(await items_of(session, project_id))} if row else {}
            if row is None:
                row = WarrantyRow(project_id=project_id)
                session.add(row)
            row.flag, row.no, row.issued_on = new.flag.value, new.no, new.issued_on
            row.until, row.excluded = new.until, list(new.excluded)
            row.written_at, row.written_by = self._clock.now(), actor.name
            await session.flush()
            await put_items(session, project_id, new.items)
            await self._journal.note(
                session,
                actor,
                "warranty.written",
                entity=ENTITY,
                entity_id=project_id,
                before=before,
                after=_values(row) | {"items": _shown(new.items)},
            )
        return await self.get(actor, project_id)


def _checked(card: NewCard, terms: Terms) -> NewCard:
    if card.items:
        card = _of_items(card, checked_items(card.items, terms))
    if card.flag not in WRITTEN:
        raise Invalid(f"one of {', '.join(sorted(flag.value for flag in WRITTEN))}", field="flag")
    covers = card.flag in {WarrantyFlag.FULL, WarrantyFlag.PARTIAL}
    if covers and (card.issued_on is None or card.until is None):
        raise Invalid(
            "say from and until when it holds", field="issued_on" if not card.issued_on else "until"
        )
    if card.issued_on and card.until and card.until < card.issued_on:
        raise Invalid("lies before the day of issue", field="until")
    if (card.flag is WarrantyFlag.PARTIAL) != bool(card.excluded):
        raise Invalid("a partial warranty names what it leaves out, the others do not", field="excluded")
    if len(card.excluded) > MAX_EXCLUDED:
        raise Invalid(f"at most {MAX_EXCLUDED} items", field="excluded")
    return NewCard(
        flag=card.flag,
        no=one_line(card.no, field="no", limit=40) if card.no else None,
        issued_on=card.issued_on,
        until=card.until,
        excluded=tuple(
            tidy_text(item, field=f"excluded.{at}", limit=LONGEST_OF_ITEM if card.items else 120)
            for at, item in enumerate(card.excluded)
        ),
        items=card.items,
    )


def _of_items(card: NewCard, items: Sequence[WarrantyItem]) -> NewCard:
    """Return a card with what follows from its items. Raises Invalid."""
    if card.excluded:
        raise Invalid("follows from the items", field="excluded")
    left_out = [item.excluded for item in items]
    fits = {
        WarrantyFlag.FULL: not any(left_out),
        WarrantyFlag.PARTIAL: any(left_out) and not all(left_out),
        WarrantyFlag.EXCLUDED: all(left_out),
    }
    if not fits.get(card.flag, True):
        raise Invalid("does not go with which items are left out", field="flag")
    until = card.until or last_day(items)
    excluded = excluded_words(items) if card.flag is WarrantyFlag.PARTIAL else ()
    return replace(card, until=until, excluded=excluded, items=tuple(items))


def _shown(items: Sequence[WarrantyItem]) -> list[list[str]]:
    """Return items as the journal has them."""
    return [
        [one.code, one.starts_on.isoformat(), one.ends_on.isoformat(), one.why if one.excluded else ""]
        for one in items
    ]


def _values(row: WarrantyRow) -> dict[str, object]:
    return {
        "flag": row.flag,
        "no": row.no,
        "issued_on": row.issued_on,
        "until": row.until,
        "excluded": row.excluded,
    }
