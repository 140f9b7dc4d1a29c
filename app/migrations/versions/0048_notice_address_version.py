"""Where people are reached has a version: two administrators do not overwrite each other."""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("notice_address", sa.Column("version", sa.Integer(), server_default="1", nullable=False))


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.execute(sa.text("DELETE FROM notice_address WHERE address = ''"))
    op.drop_column("notice_address", "version")
