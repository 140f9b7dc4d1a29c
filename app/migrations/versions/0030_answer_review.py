"""What was said in the customers' own words: heard by whom, about what, and why somebody says so."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

IN_WORDS = "kind = 'FT' AND text <> '' AND replaced_at IS NULL"
UNHEARD = "heard_at IS NULL"


def upgrade() -> None:
    """Bring the schema to this revision."""
    for table, names in (
        ("callback_voice", ("classed_at", "classed_by", "classed_by_id")),
        (
            "callback_answer",
            ("heard_at", "heard_by", "class_code", "classed_at", "classed_by", "classed_by_id"),
        ),
    ):
        for name in names:
            op.add_column(table, sa.Column(name, _type(name), nullable=True))
        version = sa.Column("review_version", sa.Integer(), server_default="1", nullable=False)
        op.add_column(table, version)
    op.add_column(
        "callback_answer", sa.Column("note", sa.String(length=400), server_default="", nullable=False)
    )
    # What a person wrote down was heard by them.
    op.execute(
        "UPDATE callback_answer SET heard_at = at, heard_by = \"by\" WHERE kind = 'FT' AND by_id IS NOT NULL"
    )
    op.create_index(
        "ix_callback_answer_in_words",
        "callback_answer",
        ["at", "id"],
        sqlite_where=sa.text(IN_WORDS),
        postgresql_where=sa.text(IN_WORDS),
    )
    op.create_index(
        "ix_callback_voice_unheard",
        "callback_voice",
        ["at", "id"],
        sqlite_where=sa.text(UNHEARD),
        postgresql_where=sa.text(UNHEARD),
    )


def _type(name: str) -> sa.types.TypeEngine[Any]:
    if name.endswith("_at"):
        return UtcDateTime()
    if name == "class_code":
        return sa.Integer()
    return sa.String(length=26 if name.endswith("_id") else 80)


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_callback_voice_unheard", table_name="callback_voice")
    op.drop_index("ix_callback_answer_in_words", table_name="callback_answer")
    reviewed = ("review_version", "classed_by_id", "classed_by", "classed_at")
    for name in reviewed:
        op.drop_column("callback_voice", name)
    for name in (*reviewed, "note", "class_code", "heard_by", "heard_at"):
        op.drop_column("callback_answer", name)
