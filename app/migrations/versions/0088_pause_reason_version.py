"""The reasons of breaks have versions: two who change one do not undo each other."""

import sqlalchemy as sa
from alembic import op

revision = "0088"
down_revision = "0087"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("pause_reason", sa.Column("version", sa.Integer(), server_default="1", nullable=False))


def downgrade() -> None:
    """Take the schema back to the one before."""
    with op.batch_alter_table("pause_reason") as batch:
        batch.drop_column("version")
