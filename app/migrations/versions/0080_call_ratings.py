"""What customers say of a call right after it, and in which queues they are asked."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0080"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("queue", sa.Column("rating", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "call_rating",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("service", sa.Integer(), nullable=True),
        sa.Column("solved", sa.Boolean(), nullable=True),
        sa.Column("rated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_call_rating")),
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("call_rating")
    with op.batch_alter_table("queue") as batch:
        batch.drop_column("rating")
