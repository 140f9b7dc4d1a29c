"""What the web shell writes into the audit log."""

from enum import StrEnum


class Action(StrEnum):
    """What is logged."""

    SIGN_IN = "sign_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGN_OUT = "sign_out"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    PASSWORD_CHANGE_FAILED = "password_change_failed"  # noqa: S105
    USER_CREATED = "user_created"
    USER_CHANGED = "user_changed"
    USER_DISABLED = "user_disabled"
    USER_ENABLED = "user_enabled"
    USER_SESSIONS_ENDED = "user_sessions_ended"
    PASSWORD_RESET = "password_reset"  # noqa: S105
    """An administrator gave somebody a one-time password."""
    TOKEN_CREATED = "token_created"  # noqa: S105
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    PHONES_SHOWN = "phones_shown"
    """Whole phone numbers left the system by permission rather than for a call in hand."""
    RECORDING_PLAYED = "recording_played"
    SCREEN_CREATED = "screen_created"
    SCREEN_OPENED = "screen_opened"
    """The code of a big screen was typed in on it."""
    SCREEN_REVOKED = "screen_revoked"
    CALLBACK_DONE = "callback_done"
