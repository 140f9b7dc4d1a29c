"""The manager's decisions to open the gates that wait for a callback."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "callback_gate_override",
        sa.Column("project_id", sa.String(length=26), nullable=False),
        sa.Column("gate", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "gate", name=op.f("pk_callback_gate_override")),
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("callback_gate_override")
