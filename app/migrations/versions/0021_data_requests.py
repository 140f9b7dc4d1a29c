"""What people ask about their own data."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_data_request_customer_id", ["customer_id"]),
    ("ix_data_request_kept_until", ["kept_until"]),
    ("ix_data_request_state_received_at", ["state", "received_at"]),
)


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "data_request",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("no", sa.String(length=20), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("evidence", sa.String(length=400), nullable=False),
        sa.Column("wish", sa.String(length=1000), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("received_by", sa.String(length=80), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("answer", sa.String(length=1000), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("answered_by", sa.String(length=80), nullable=True),
        sa.Column("kept_until", sa.Date(), nullable=True),
        sa.Column("erased_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_data_request_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_request")),
        sa.UniqueConstraint("no", name=op.f("uq_data_request_no")),
    )
    for name, columns in INDEXES:
        op.create_index(name, "data_request", columns, unique=False)


def downgrade() -> None:
    """Take the schema back to the one before."""
    for name, _ in reversed(INDEXES):
        op.drop_index(name, table_name="data_request")
    op.drop_table("data_request")
