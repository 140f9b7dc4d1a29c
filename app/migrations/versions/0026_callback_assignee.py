"""Which agent is to call about a callback task."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("callback_task", sa.Column("assignee_id", sa.String(length=26), nullable=True))
    name = sa.Column("assignee_name", sa.String(length=80), server_default="", nullable=False)
    op.add_column("callback_task", name)


def downgrade() -> None:
    """Take the schema back."""
    with op.batch_alter_table("callback_task") as batch:
        batch.drop_column("assignee_name")
        batch.drop_column("assignee_id")
