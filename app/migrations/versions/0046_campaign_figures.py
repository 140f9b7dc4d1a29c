"""A task knows the last campaign that called about it, an attempt its carrier; figures are in indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

WAITING_TASK = "coalesce(current_key, '') <> ''"
CURRENT_ANSWER = "replaced_at IS NULL"
TRIED = """
UPDATE callback_task SET tried_campaign_id = (
    SELECT a.campaign_id FROM dial_attempt a
    WHERE a.task_id = callback_task.id AND a.campaign_id IS NOT NULL
    ORDER BY a.began_at DESC, a.id DESC LIMIT 1
)
WHERE id IN (SELECT task_id FROM dial_attempt WHERE campaign_id IS NOT NULL)
"""
CARRIER = """
UPDATE dial_attempt SET carrier = (SELECT c.carrier FROM campaign c WHERE c.id = dial_attempt.campaign_id)
WHERE campaign_id IS NOT NULL
"""
BEFORE = (
    ("ix_callback_task_result", "callback_task", ["id", "status", "verdict", "ended_at"]),
    ("ix_dial_attempt_task_id", "dial_attempt", ["task_id"]),
    ("ix_dial_attempt_began_at", "dial_attempt", ["began_at", "id"]),
)
AFTER = (
    ("ix_callback_task_result", "callback_task", ["id", "kind", "status", "ended_at"]),
    ("ix_dial_attempt_task_id", "dial_attempt", ["task_id", "began_at"]),
    ("ix_dial_attempt_began_at", "dial_attempt", ["began_at", "id", "state", "outcome", "task_id"]),
)
NEW = (
    ("ix_callback_task_tried", "callback_task", ["tried_campaign_id", "status", "verdict", "ended_at"]),
    ("ix_callback_task_window", "callback_task", ["kind", "window_end", "status", "ended_at"]),
    (
        "ix_callback_task_ended",
        "callback_task",
        ["kind", "ended_at", "status", "verdict", "score", "planned_for", "customer_id", "project_id"],
    ),
)
PARTIAL = (
    (
        "ix_callback_task_waiting",
        "callback_task",
        ["campaign_id", "kind", "channel", "level", "status", "call_at", "current_key"],
        WAITING_TASK,
    ),
    (
        "ix_callback_answer_figures",
        "callback_answer",
        [
            *("at", "code", "kind", "value", "score", "measure", "counts", "department", "rated"),
            *("project_manager", "designer", "inspector", "crew_id", "store_id", "replaced_at"),
        ],
        CURRENT_ANSWER,
    ),
)


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("callback_task", sa.Column("tried_campaign_id", sa.String(length=26), nullable=True))
    op.add_column("dial_attempt", sa.Column("carrier", sa.String(length=40), nullable=True))
    for name, table, _ in BEFORE:
        op.drop_index(name, table_name=table)
    for name, table, columns in AFTER:
        op.create_index(name, table, columns)
    op.execute(TRIED)
    op.execute(CARRIER)
    for name, table, columns in NEW:
        op.create_index(name, table, columns)
    for name, table, columns, where in PARTIAL:
        op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    """Take the schema back to the one before."""
    for name, table, *_ in (*PARTIAL, *NEW, *AFTER):
        op.drop_index(name, table_name=table)
    for name, table, columns in BEFORE:
        op.create_index(name, table, columns)
    op.drop_column("dial_attempt", "carrier")
    op.drop_column("callback_task", "tried_campaign_id")
