"""Tells live pages that a list changed, whichever service changed it, once the change is committed.

The sessions of the database are listened to, so that no service can forget to tell: rows that are flushed,
and statements that insert, update or delete. What pages do with it is to read again what they show.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import event as sql_event
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction

from kernel.clock import Clock
from kernel.db import Database
from kernel.events import Event, event

_TOUCHED = "huifang_lists_touched"
KEYS = ("id", "customer_id", "project_id")
"""Columns whose values a page may be about."""
MOST_KEYS = 50
"""With more of them, everybody who shows the list reads it again."""


@event
class ListChanged(Event):
    """Rows of a list are not as they were.

    ``keys`` are ids of the rows, their customers and projects; none: it may be any row.
    """

    name: str
    keys: tuple[str, ...] = ()


def watch_lists(
    database: Database, clock: Clock, publish: Callable[[Event], None], lists: Mapping[str, Iterable[str]]
) -> None:
    """Call ``publish`` after each commit, once for every list of which a row was written in it.

    ``publish`` must not wait. A transaction that is rolled back tells nothing.

    Args:
        lists: name of the list → names of its tables.
    """
    of_table = {table: name for name, tables in lists.items() for table in tables}

    def touch(session: Session, table: str, keys: Iterable[str]) -> None:
        name = of_table.get(table)
        if name is None:
            return
        known: set[str] = session.info.setdefault(_TOUCHED, {}).setdefault(name, set())
        known.update(keys or ("",))

    def flushed(session: Session, _: UOWTransaction) -> None:
        for row in (*session.new, *session.dirty, *session.deleted):
            if row.__tablename__ in of_table:
                # Of what is loaded: nothing is read for this.
                touch(session, row.__tablename__, _keys(vars(row)))

    def executed(state: ORMExecuteState) -> None:
        if state.is_select:
            return
        table = getattr(getattr(state.statement, "table", None), "name", None)
        if table not in of_table:
            return
        given: Any = state.parameters
        if not given:
            statement: Any = state.statement
            given = statement.compile(dialect=state.session.get_bind().dialect).params
        rows: list[Mapping[str, Any]] = [given] if isinstance(given, Mapping) else list(given)
        for row in rows[: MOST_KEYS + 1]:
            touch(state.session, table, _keys(row))

    def tell(session: Session) -> None:
        for name, keys in sorted(session.info.pop(_TOUCHED, {}).items()):
            few = () if "" in keys or len(keys) > MOST_KEYS else tuple(sorted(keys))
            publish(ListChanged(at=clock.now(), name=name, keys=few))

    def forget(session: Session) -> None:
        session.info.pop(_TOUCHED, None)

    sql_event.listen(database.session_class, "after_flush", flushed)
    sql_event.listen(database.session_class, "do_orm_execute", executed)
    sql_event.listen(database.session_class, "after_commit", tell)
    sql_event.listen(database.session_class, "after_rollback", forget)


def _keys(values: Mapping[str, Any]) -> set[str]:
    return {str(values[key]) for key in KEYS if values.get(key)}
