"""Callback tasks with their history, attempts to reach somebody, and refusals to dial."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "callback_invalid_attempt",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("task_id", sa.String(length=26), nullable=False),
        sa.Column("attempt_id", sa.String(length=26), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("agent", sa.String(length=80), nullable=True),
        sa.Column("node", sa.String(length=40), server_default="", nullable=False),
        sa.Column("remark", sa.String(length=200), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback_invalid_attempt")),
    )
    op.create_index(
        "ix_callback_invalid_attempt_task_id", "callback_invalid_attempt", ["task_id", "at"], unique=False
    )
    op.create_table(
        "callback_stop",
        sa.Column("project_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "kind", name=op.f("pk_callback_stop")),
    )
    op.create_table(
        "callback_task",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("current_key", sa.String(length=60), nullable=True),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("category", sa.String(length=12), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=False),
        sa.Column("project_id", sa.String(length=26), nullable=True),
        sa.Column("case_id", sa.String(length=26), nullable=True),
        sa.Column("point", sa.String(length=8), server_default="", nullable=False),
        sa.Column("level", sa.String(length=1), nullable=False),
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("origin", sa.String(length=12), nullable=False),
        sa.Column("origin_ref", sa.String(length=80), nullable=False),
        sa.Column("previous_id", sa.String(length=26), nullable=True),
        sa.Column("replaced_by", sa.String(length=26), nullable=True),
        sa.Column("revisit_id", sa.String(length=26), nullable=True),
        sa.Column("call_at", UtcDateTime(), nullable=False),
        sa.Column("first_by", UtcDateTime(), nullable=True),
        sa.Column("window_end", UtcDateTime(), nullable=True),
        sa.Column("appointed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("holds", sa.String(length=40), server_default="", nullable=False),
        sa.Column("attempt_id", sa.String(length=26), nullable=True),
        sa.Column("attempt_at", UtcDateTime(), nullable=True),
        sa.Column("tried", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("ends_in_call", sa.String(length=20), nullable=True),
        sa.Column("result_code", sa.String(length=12), nullable=True),
        sa.Column("verdict", sa.String(length=12), nullable=True),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("finding", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("answered", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cancelled_why", sa.String(length=20), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_callback_task_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback_task")),
        sa.UniqueConstraint("current_key", name=op.f("uq_callback_task_current_key")),
        sa.UniqueConstraint("key", name=op.f("uq_callback_task_key")),
    )
    op.create_index("ix_callback_task_call_at", "callback_task", ["call_at", "id"], unique=False)
    op.create_index("ix_callback_task_case_id", "callback_task", ["case_id"], unique=False)
    op.create_index("ix_callback_task_customer_id", "callback_task", ["customer_id"], unique=False)
    op.create_index(op.f("ix_callback_task_due_at"), "callback_task", ["due_at"], unique=False)
    op.create_index("ix_callback_task_origin_ref", "callback_task", ["origin_ref"], unique=False)
    op.create_index("ix_callback_task_project_id_kind", "callback_task", ["project_id", "kind"], unique=False)
    op.create_index(
        "ix_callback_task_status_call_at", "callback_task", ["status", "call_at", "id"], unique=False
    )
    op.create_table(
        "callback_task_step",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("task_id", sa.String(length=26), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("step", sa.String(length=24), nullable=False),
        sa.Column("status_was", sa.String(length=12), nullable=True),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback_task_step")),
    )
    op.create_index("ix_callback_task_step_task_id", "callback_task_step", ["task_id", "at"], unique=False)
    op.create_table(
        "dial_attempt",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("channel_id", sa.String(length=40), nullable=False),
        sa.Column("task_id", sa.String(length=26), nullable=True),
        sa.Column("campaign_id", sa.String(length=26), nullable=True),
        sa.Column("customer_id", sa.String(length=26), nullable=True),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("node", sa.String(length=40), nullable=False),
        sa.Column("trunk", sa.String(length=40), nullable=False),
        sa.Column("agent", sa.String(length=80), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("survey", sa.Boolean(), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("corrected", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_dial_attempt_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dial_attempt")),
        sa.UniqueConstraint("channel_id", name=op.f("uq_dial_attempt_channel_id")),
    )
    op.create_index(
        "ix_dial_attempt_customer_id_answered_at",
        "dial_attempt",
        ["customer_id", "answered_at"],
        unique=False,
    )
    op.create_index("ix_dial_attempt_number_began_at", "dial_attempt", ["number", "began_at"], unique=False)
    op.create_index("ix_dial_attempt_state_since", "dial_attempt", ["state", "since"], unique=False)
    op.create_index("ix_dial_attempt_task_id", "dial_attempt", ["task_id"], unique=False)
    op.create_index(
        "uq_dial_attempt_open_number",
        "dial_attempt",
        ["number"],
        unique=True,
        sqlite_where=sa.text("state <> 'ended'"),
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_table(
        "dial_refusal",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("task_id", sa.String(length=26), nullable=True),
        sa.Column("campaign_id", sa.String(length=26), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("code", sa.String(length=24), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("detail", sa.String(length=120), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dial_refusal")),
    )
    op.create_index("ix_dial_refusal_at", "dial_refusal", ["at"], unique=False)
    op.create_index("ix_dial_refusal_campaign_id_at", "dial_refusal", ["campaign_id", "at"], unique=False)
    op.create_index("ix_dial_refusal_task_id", "dial_refusal", ["task_id"], unique=False)


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_dial_refusal_task_id", table_name="dial_refusal")
    op.drop_index("ix_dial_refusal_campaign_id_at", table_name="dial_refusal")
    op.drop_index("ix_dial_refusal_at", table_name="dial_refusal")
    op.drop_table("dial_refusal")
    op.drop_index(
        "uq_dial_attempt_open_number",
        table_name="dial_attempt",
        sqlite_where=sa.text("state <> 'ended'"),
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.drop_index("ix_dial_attempt_task_id", table_name="dial_attempt")
    op.drop_index("ix_dial_attempt_state_since", table_name="dial_attempt")
    op.drop_index("ix_dial_attempt_number_began_at", table_name="dial_attempt")
    op.drop_index("ix_dial_attempt_customer_id_answered_at", table_name="dial_attempt")
    op.drop_table("dial_attempt")
    op.drop_index("ix_callback_task_step_task_id", table_name="callback_task_step")
    op.drop_table("callback_task_step")
    op.drop_index("ix_callback_task_status_call_at", table_name="callback_task")
    op.drop_index("ix_callback_task_project_id_kind", table_name="callback_task")
    op.drop_index("ix_callback_task_origin_ref", table_name="callback_task")
    op.drop_index(op.f("ix_callback_task_due_at"), table_name="callback_task")
    op.drop_index("ix_callback_task_customer_id", table_name="callback_task")
    op.drop_index("ix_callback_task_case_id", table_name="callback_task")
    op.drop_index("ix_callback_task_call_at", table_name="callback_task")
    op.drop_table("callback_task")
    op.drop_table("callback_stop")
    op.drop_index("ix_callback_invalid_attempt_task_id", table_name="callback_invalid_attempt")
    op.drop_table("callback_invalid_attempt")
