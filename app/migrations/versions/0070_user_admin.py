"""Users are managed in the browser: versions of them, and passwords that must be changed."""

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0066"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    with op.batch_alter_table("user_account") as user:
        user.add_column(sa.Column("password_due", sa.Boolean(), nullable=False, server_default=sa.false()))
        user.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    """Take the schema back to the one before."""
    with op.batch_alter_table("user_account") as user:
        user.drop_column("version")
        user.drop_column("password_due")
