"""What was decided of the next callback when a talk ended."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("callback_talk", sa.Column("next_action", sa.String(length=8), nullable=True))
    op.add_column("callback_talk", sa.Column("next_task_id", sa.String(length=26), nullable=True))


def downgrade() -> None:
    """Take the schema back."""
    with op.batch_alter_table("callback_talk") as batch:
        batch.drop_column("next_task_id")
        batch.drop_column("next_action")
