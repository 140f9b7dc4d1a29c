"""Rules of routing: where callers go who are to wait for a person."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "ivr_routing_rule",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("why", sa.String(length=200), server_default="", nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_ivr_routing_rule")),
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("ivr_routing_rule")
