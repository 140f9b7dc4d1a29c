"""The first schema: calls, agents, queues, customers, flows, users, outbox."""

import sqlalchemy as sa
from alembic import op

from kernel.audit import AUDIT_APPEND_ONLY
from kernel.db import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "agent",
        sa.Column("agent_id", sa.String(length=26), nullable=False),
        sa.Column("number", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("sip_password", sa.String(length=64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_agent")),
        sa.UniqueConstraint("number", name=op.f("uq_agent_number")),
    )
    op.create_table(
        "ami_epoch",
        sa.Column("epoch_id", sa.String(length=26), nullable=False),
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("boot_id", sa.String(length=64), nullable=False),
        sa.Column("asterisk_started_at", UtcDateTime(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("live_at", UtcDateTime(), nullable=True),
        sa.Column("seen_until", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("end_reason", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("epoch_id", name=op.f("pk_ami_epoch")),
    )
    op.create_index("ix_ami_epoch_node", "ami_epoch", ["node", "started_at"], unique=False)
    op.create_table(
        "api_token",
        sa.Column("token_id", sa.String(length=26), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("name", name=op.f("uq_api_token_name")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
    )
    op.create_table(
        "audit_record",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("entity", sa.String(length=60), nullable=False),
        sa.Column("entity_id", sa.String(length=120), nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("prev_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_record")),
    )
    op.create_index(op.f("ix_audit_record_action"), "audit_record", ["action"], unique=False)
    op.create_index(op.f("ix_audit_record_actor"), "audit_record", ["actor"], unique=False)
    op.create_index(op.f("ix_audit_record_at"), "audit_record", ["at"], unique=False)
    op.create_index("ix_audit_record_entity", "audit_record", ["entity", "entity_id"], unique=False)
    op.create_table(
        "call",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("from_number", sa.String(length=64), nullable=False),
        sa.Column("to_number", sa.String(length=64), nullable=False),
        sa.Column("from_name", sa.String(length=80), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=True),
        sa.Column("queue", sa.String(length=64), nullable=True),
        sa.Column("agent_id", sa.String(length=26), nullable=True),
        sa.Column("agent_number", sa.String(length=16), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("result", sa.String(length=16), nullable=True),
        sa.Column("menu_path", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("queued_at", UtcDateTime(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("wait_ms", sa.BigInteger(), nullable=True),
        sa.Column("talk_ms", sa.BigInteger(), nullable=False),
        sa.Column("hold_ms", sa.BigInteger(), nullable=False),
        sa.Column("hangup_by", sa.String(length=8), nullable=True),
        sa.Column("end_reason", sa.String(length=16), nullable=True),
        sa.Column("cause", sa.Integer(), nullable=True),
        sa.Column("adopted", sa.Boolean(), nullable=False),
        sa.Column("merged_into", sa.String(length=26), nullable=True),
        sa.Column("resume", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("told", sa.Boolean(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_call")),
    )
    op.create_index("ix_call_agent_number", "call", ["agent_number", "started_at"], unique=False)
    op.create_index("ix_call_customer_id", "call", ["customer_id", "started_at"], unique=False)
    op.create_index("ix_call_from_number", "call", ["from_number", "started_at"], unique=False)
    op.create_index("ix_call_queue", "call", ["queue", "started_at"], unique=False)
    op.create_index("ix_call_result", "call", ["result", "started_at"], unique=False)
    op.create_index("ix_call_started_at", "call", ["started_at", "call_id"], unique=False)
    op.create_index("ix_call_state", "call", ["state", "node"], unique=False)
    op.create_index("ix_call_to_number", "call", ["to_number", "started_at"], unique=False)
    op.create_table(
        "consumed_fact",
        sa.Column("consumer", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=26), nullable=False),
        sa.Column("consumed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "event_id", name=op.f("pk_consumed_fact")),
    )
    op.create_index(op.f("ix_consumed_fact_consumed_at"), "consumed_fact", ["consumed_at"], unique=False)
    op.create_table(
        "crew",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("head", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crew")),
    )
    op.create_table(
        "department",
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("head", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_department")),
    )
    op.create_table(
        "disposition",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("label_zh", sa.String(length=40), nullable=False),
        sa.Column("label_en", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_disposition")),
    )
    op.create_table(
        "ivr_flow_version",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("yaml", sa.Text(), nullable=False),
        sa.Column("checksum", sa.String(length=64), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("published_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ivr_flow_version")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_ivr_flow_version_name_version")),
    )
    op.create_table(
        "outbox",
        sa.Column("event_id", sa.String(length=26), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_due_at"), "outbox", ["due_at"], unique=False)
    op.create_table(
        "pause_reason",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("label_zh", sa.String(length=40), nullable=False),
        sa.Column("label_en", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("selectable", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_pause_reason")),
    )
    op.create_table(
        "queue",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("label_zh", sa.String(length=40), nullable=False),
        sa.Column("label_en", sa.String(length=40), nullable=False),
        sa.Column("strategy", sa.String(length=20), nullable=False),
        sa.Column("ring_timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("retry_seconds", sa.Integer(), nullable=False),
        sa.Column("wrap_up_seconds", sa.Integer(), nullable=False),
        sa.Column("max_wait_seconds", sa.Integer(), nullable=False),
        sa.Column("answer_within_seconds", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_queue")),
    )
    op.create_table(
        "store",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store")),
        sa.UniqueConstraint("name", name=op.f("uq_store_name")),
    )
    op.create_table(
        "user_account",
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=80), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("agent_id", sa.String(length=64), nullable=True),
        sa.Column("locale", sa.String(length=10), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("password_changed_at", UtcDateTime(), nullable=False),
        sa.Column("last_sign_in_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("agent_id", name=op.f("uq_user_account_agent_id")),
        sa.UniqueConstraint("login", name=op.f("uq_user_account_login")),
    )
    op.create_table(
        "agent_session",
        sa.Column("agent_id", sa.String(length=26), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("signed_in", sa.Boolean(), nullable=False),
        sa.Column("leaving", sa.Boolean(), nullable=False),
        sa.Column("pause_reason", sa.String(length=32), nullable=True),
        sa.Column("asleep", sa.Boolean(), nullable=False),
        sa.Column("legs", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("wrap_up_call_id", sa.String(length=26), nullable=True),
        sa.Column("wrap_up_queue", sa.String(length=32), nullable=True),
        sa.Column("wrap_up_until", UtcDateTime(), nullable=True),
        sa.Column("no_answers", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("call_id", sa.String(length=26), nullable=True),
        sa.Column("queue", sa.String(length=32), nullable=True),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("next_state", sa.String(length=16), nullable=True),
        sa.Column("next_reason", sa.String(length=32), nullable=True),
        sa.Column("signed_in_at", UtcDateTime(), nullable=True),
        sa.Column("heartbeat_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.agent_id"], name=op.f("fk_agent_session_agent_id_agent"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_agent_session")),
    )
    op.create_index(op.f("ix_agent_session_signed_in"), "agent_session", ["signed_in"], unique=False)
    op.create_table(
        "agent_state_log",
        sa.Column("entry_id", sa.String(length=26), nullable=False),
        sa.Column("agent_id", sa.String(length=26), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("call_id", sa.String(length=26), nullable=True),
        sa.Column("queue", sa.String(length=32), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["agent_id"],
            ["agent.agent_id"],
            name=op.f("fk_agent_state_log_agent_id_agent"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_agent_state_log")),
    )
    op.create_index(
        "ix_agent_state_log_agent_started", "agent_state_log", ["agent_id", "started_at"], unique=False
    )
    op.create_index(op.f("ix_agent_state_log_started_at"), "agent_state_log", ["started_at"], unique=False)
    op.create_table(
        "call_event",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=128), nullable=True),
        sa.Column("agent", sa.String(length=16), nullable=True),
        sa.Column("queue", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["call_id"], ["call.call_id"], name=op.f("fk_call_event_call_id_call"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("call_id", "seq", name=op.f("pk_call_event")),
    )
    op.create_table(
        "call_leg",
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("uniqueid", sa.String(length=64), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("linkedid", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("agent_number", sa.String(length=16), nullable=True),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("cause", sa.Integer(), nullable=True),
        sa.Column("resume", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["call_id"], ["call.call_id"], name=op.f("fk_call_leg_call_id_call"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("node", "uniqueid", name=op.f("pk_call_leg")),
    )
    op.create_index("ix_call_leg_agent_number", "call_leg", ["agent_number", "call_id"], unique=False)
    op.create_index("ix_call_leg_call_id", "call_leg", ["call_id"], unique=False)
    op.create_table(
        "customer",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("salutation", sa.String(length=8), nullable=True),
        sa.Column("level", sa.String(length=1), nullable=False),
        sa.Column("level_reason", sa.String(length=200), nullable=True),
        sa.Column("store_id", sa.String(length=26), nullable=True),
        sa.Column("do_not_call", sa.Boolean(), nullable=False),
        sa.Column("frozen_reason", sa.String(length=200), nullable=True),
        sa.Column("problem_reason", sa.String(length=200), nullable=True),
        sa.Column("elder_mode", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"], name=op.f("fk_customer_store_id_store")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
    )
    op.create_index(op.f("ix_customer_name"), "customer", ["name"], unique=False)
    op.create_table(
        "ivr_active_flow",
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("version_id", sa.String(length=26), nullable=False),
        sa.Column("activated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["ivr_flow_version.id"],
            name=op.f("fk_ivr_active_flow_version_id_ivr_flow_version"),
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_ivr_active_flow")),
    )
    op.create_table(
        "queue_member",
        sa.Column("queue", sa.String(length=32), nullable=False),
        sa.Column("agent_id", sa.String(length=26), nullable=False),
        sa.Column("penalty", sa.Integer(), nullable=False),
        sa.CheckConstraint("penalty >= 0", name=op.f("ck_queue_member_penalty")),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.agent_id"], name=op.f("fk_queue_member_agent_id_agent"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["queue"], ["queue.name"], name=op.f("fk_queue_member_queue_queue"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("queue", "agent_id", name=op.f("pk_queue_member")),
    )
    op.create_index(op.f("ix_queue_member_agent_id"), "queue_member", ["agent_id"], unique=False)
    op.create_table(
        "user_device",
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.user_id"],
            name=op.f("fk_user_device_user_id_user_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_user_device")),
    )
    op.create_index(op.f("ix_user_device_user_id"), "user_device", ["user_id"], unique=False)
    op.create_table(
        "user_session",
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.user_id"],
            name=op.f("fk_user_session_user_id_user_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_user_session")),
    )
    op.create_index(op.f("ix_user_session_expires_at"), "user_session", ["expires_at"], unique=False)
    op.create_index(op.f("ix_user_session_user_id"), "user_session", ["user_id"], unique=False)
    op.create_table(
        "wrap_up",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("agent_id", sa.String(length=26), nullable=False),
        sa.Column("queue", sa.String(length=32), nullable=True),
        sa.Column("taken_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("disposition", sa.String(length=32), nullable=True),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("draft_notes", sa.Text(), nullable=True),
        sa.Column("draft_disposition", sa.String(length=32), nullable=True),
        sa.Column("saved_at", UtcDateTime(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.agent_id"], name=op.f("fk_wrap_up_agent_id_agent"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["disposition"], ["disposition.code"], name=op.f("fk_wrap_up_disposition_disposition")
        ),
        sa.PrimaryKeyConstraint("call_id", "agent_id", name=op.f("pk_wrap_up")),
    )
    op.create_index(op.f("ix_wrap_up_due_at"), "wrap_up", ["due_at"], unique=False)
    op.create_index(op.f("ix_wrap_up_taken_at"), "wrap_up", ["taken_at"], unique=False)
    op.create_table(
        "call_note",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("disposition", sa.String(length=40), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=True),
        sa.Column("noted_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_call_note_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_call_note")),
    )
    op.create_table(
        "callback_request",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("e164", sa.String(length=20), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=True),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("open_key", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_callback_request_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback_request")),
        sa.UniqueConstraint("open_key", name=op.f("uq_callback_request_open_key")),
    )
    op.create_index(op.f("ix_callback_request_e164"), "callback_request", ["e164"], unique=False)
    op.create_table(
        "contact",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("ref", sa.String(length=40), nullable=False),
        sa.Column("result", sa.String(length=32), nullable=True),
        sa.Column("agent", sa.String(length=60), nullable=True),
        sa.Column("queue", sa.String(length=40), nullable=True),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_contact_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
        sa.UniqueConstraint("channel", "ref", "customer_id", name=op.f("uq_contact_channel_ref_customer_id")),
    )
    op.create_index("ix_contact_customer_id_at", "contact", ["customer_id", "at"], unique=False)
    op.create_table(
        "customer_phone",
        sa.Column("customer_id", sa.String(length=26), nullable=False),
        sa.Column("e164", sa.String(length=20), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_customer_phone_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("customer_id", "e164", name=op.f("pk_customer_phone")),
    )
    op.create_index("ix_customer_phone_e164", "customer_phone", ["e164", "customer_id"], unique=False)
    op.create_table(
        "project",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("contract_no", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("crew_id", sa.String(length=26), nullable=True),
        sa.Column("project_manager", sa.String(length=40), nullable=True),
        sa.Column("designer", sa.String(length=40), nullable=True),
        sa.Column("inspector", sa.String(length=40), nullable=True),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("warranty_until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["crew_id"], ["crew.id"], name=op.f("fk_project_crew_id_crew")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_project_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sa.UniqueConstraint("contract_no", name=op.f("uq_project_contract_no")),
    )
    op.create_index(op.f("ix_project_customer_id"), "project", ["customer_id"], unique=False)
    op.create_table(
        "service_case",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("no", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=False),
        sa.Column("project_id", sa.String(length=26), nullable=True),
        sa.Column("department_code", sa.String(length=16), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("summary", sa.String(length=400), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_service_case_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["department_code"], ["department.code"], name=op.f("fk_service_case_department_code_department")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_service_case_project_id_project")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_case")),
        sa.UniqueConstraint("no", name=op.f("uq_service_case_no")),
    )
    op.create_index(
        "ix_service_case_customer_id_status", "service_case", ["customer_id", "status"], unique=False
    )
    for statement in AUDIT_APPEND_ONLY[op.get_bind().dialect.name]:
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_service_case_customer_id_status", table_name="service_case")
    op.drop_table("service_case")
    op.drop_index(op.f("ix_project_customer_id"), table_name="project")
    op.drop_table("project")
    op.drop_index("ix_customer_phone_e164", table_name="customer_phone")
    op.drop_table("customer_phone")
    op.drop_index("ix_contact_customer_id_at", table_name="contact")
    op.drop_table("contact")
    op.drop_index(op.f("ix_callback_request_e164"), table_name="callback_request")
    op.drop_table("callback_request")
    op.drop_table("call_note")
    op.drop_index(op.f("ix_wrap_up_taken_at"), table_name="wrap_up")
    op.drop_index(op.f("ix_wrap_up_due_at"), table_name="wrap_up")
    op.drop_table("wrap_up")
    op.drop_index(op.f("ix_user_session_user_id"), table_name="user_session")
    op.drop_index(op.f("ix_user_session_expires_at"), table_name="user_session")
    op.drop_table("user_session")
    op.drop_index(op.f("ix_user_device_user_id"), table_name="user_device")
    op.drop_table("user_device")
    op.drop_index(op.f("ix_queue_member_agent_id"), table_name="queue_member")
    op.drop_table("queue_member")
    op.drop_table("ivr_active_flow")
    op.drop_index(op.f("ix_customer_name"), table_name="customer")
    op.drop_table("customer")
    op.drop_index("ix_call_leg_call_id", table_name="call_leg")
    op.drop_index("ix_call_leg_agent_number", table_name="call_leg")
    op.drop_table("call_leg")
    op.drop_table("call_event")
    op.drop_index(op.f("ix_agent_state_log_started_at"), table_name="agent_state_log")
    op.drop_index("ix_agent_state_log_agent_started", table_name="agent_state_log")
    op.drop_table("agent_state_log")
    op.drop_index(op.f("ix_agent_session_signed_in"), table_name="agent_session")
    op.drop_table("agent_session")
    op.drop_table("user_account")
    op.drop_table("store")
    op.drop_table("queue")
    op.drop_table("pause_reason")
    op.drop_index(op.f("ix_outbox_due_at"), table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("ivr_flow_version")
    op.drop_table("disposition")
    op.drop_table("department")
    op.drop_table("crew")
    op.drop_index(op.f("ix_consumed_fact_consumed_at"), table_name="consumed_fact")
    op.drop_table("consumed_fact")
    op.drop_index("ix_call_to_number", table_name="call")
    op.drop_index("ix_call_state", table_name="call")
    op.drop_index("ix_call_started_at", table_name="call")
    op.drop_index("ix_call_result", table_name="call")
    op.drop_index("ix_call_queue", table_name="call")
    op.drop_index("ix_call_from_number", table_name="call")
    op.drop_index("ix_call_customer_id", table_name="call")
    op.drop_index("ix_call_agent_number", table_name="call")
    op.drop_table("call")
    op.drop_index("ix_audit_record_entity", table_name="audit_record")
    op.drop_index(op.f("ix_audit_record_at"), table_name="audit_record")
    op.drop_index(op.f("ix_audit_record_actor"), table_name="audit_record")
    op.drop_index(op.f("ix_audit_record_action"), table_name="audit_record")
    op.drop_table("audit_record")
    op.drop_table("api_token")
    op.drop_index("ix_ami_epoch_node", table_name="ami_epoch")
    op.drop_table("ami_epoch")
    op.drop_table("agent")
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql("DROP FUNCTION IF EXISTS audit_record_refuse()")
