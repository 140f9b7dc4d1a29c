"""What departments note down while they work on their lines."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "complaint_record",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("line_id", sa.String(length=26), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("done", sa.Text(), nullable=False),
        sa.Column("photos", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("noted_at", UtcDateTime(), nullable=False),
        sa.Column("noted_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["line_id"], ["complaint_line.id"], name=op.f("fk_complaint_record_line_id_complaint_line")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint_record")),
    )
    op.create_index("ix_complaint_record_line_id_id", "complaint_record", ["line_id", "id"], unique=False)


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_complaint_record_line_id_id", table_name="complaint_record")
    op.drop_table("complaint_record")
