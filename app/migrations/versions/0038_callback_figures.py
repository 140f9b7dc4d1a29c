"""The work list, the figures of campaigns, and those of a period are found without reading what is over."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

OPEN_TASK = "current_key IS NOT NULL"
INDEXES = (
    ("ix_callback_task_result", "callback_task", ["id", "status", "verdict", "ended_at"]),
    ("ix_callback_task_ended_at", "callback_task", ["ended_at"]),
    (
        "ix_dial_attempt_figures",
        "dial_attempt",
        ["campaign_id", "state", "outcome", "answered_at", "connect_seconds", "task_id"],
    ),
    ("ix_dial_refusal_campaign_id_code", "dial_refusal", ["campaign_id", "code"]),
)


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_index(
        "ix_callback_task_open",
        "callback_task",
        ["call_at", "id"],
        sqlite_where=sa.text(OPEN_TASK),
        postgresql_where=sa.text(OPEN_TASK),
    )
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)


def downgrade() -> None:
    """Take the schema back to the one before."""
    for name, table, _ in reversed(INDEXES):
        op.drop_index(name, table_name=table)
    op.drop_index("ix_callback_task_open", table_name="callback_task")
