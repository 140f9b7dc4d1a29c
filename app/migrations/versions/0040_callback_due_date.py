"""The moment for which a callback was first planned, from which its delay is counted."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("callback_task", sa.Column("planned_for", UtcDateTime(), nullable=True))
    # Of those before, only the end of the window is known: their delay stays what it was.
    op.execute("UPDATE callback_task SET planned_for = window_end")


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_column("callback_task", "planned_for")
