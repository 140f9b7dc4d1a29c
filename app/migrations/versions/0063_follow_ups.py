"""When a caller is to be called back, where that was agreed."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("callback_request", sa.Column("wanted_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Take the schema back to the one before."""
    with op.batch_alter_table("callback_request") as table:
        table.drop_column("wanted_at")
