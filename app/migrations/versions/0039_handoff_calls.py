"""A hand-off that nobody signs is called about: from when, and who did."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

TABLE = "case_handoff"


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column(TABLE, sa.Column("call_at", UtcDateTime(), nullable=True))
    op.add_column(TABLE, sa.Column("called_at", UtcDateTime(), nullable=True))
    op.add_column(TABLE, sa.Column("called_by", sa.String(length=80), nullable=True))


def downgrade() -> None:
    """Take the schema back to the one before."""
    for name in ("called_by", "called_at", "call_at"):
        op.drop_column(TABLE, name)
