"""From which on a queue's figure on the supervisor's board is an alert: versions of the limits."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "board_limit",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("queues", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("begins_after_seconds", sa.Integer(), nullable=False),
        sa.Column("ends_after_seconds", sa.Integer(), nullable=False),
        sa.Column("sound", sa.Boolean(), nullable=False),
        sa.Column("why", sa.String(length=200), server_default="", nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_board_limit")),
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("board_limit")
