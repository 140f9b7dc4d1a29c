"""Alembic's entry: runs on the connection that ``app.schema`` passes in, inside its transaction."""

from typing import Literal

from alembic import context

import app.models  # noqa: F401 - fills the metadata
from crm.search_tables import is_index_table
from kernel.db import Base, UtcDateTime


def _render(kind: str, item: object, _: object) -> str | Literal[False]:
    return "UtcDateTime()" if kind == "type" and isinstance(item, UtcDateTime) else False


def _is_described(name: str | None, kind: str, _: object) -> bool:
    return kind != "table" or not is_index_table(name)


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    compare_type=True,
    render_item=_render,
    include_name=_is_described,
)
context.run_migrations()
