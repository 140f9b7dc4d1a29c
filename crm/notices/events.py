"""What notices tell and are told."""

import dataclasses
from datetime import datetime

from kernel.events import Event, event


@event
class NoticeWanted(Event):
    """Somebody must hear of something (fact): a code of ``crm/notices/rules.yaml`` and what fills its texts.

    ``key`` says what it is about; the same key is never shown twice. It defaults to the event's own id.
    """

    code: str
    key: str = ""
    parameters: dict[str, str] = dataclasses.field(default_factory=dict)
    link: str = ""
    owner_user_id: str | None = None
    owner_department: str | None = None
    specialist_user_id: str | None = None
    also: tuple[str, ...] = ()
    expires_at: datetime | None = None


@event
class CustomerMessageWanted(Event):
    """A customer is to get a text (fact): a name under ``customers`` in ``rules.yaml``, and what fills it.

    ``company``, ``hotline`` and ``greeting`` are filled in. The same ``key`` is sent once; nothing is sent to
    somebody who refuses messages of the text's scope, or has no mobile number.
    """

    customer_id: str
    template: str
    key: str
    parameters: dict[str, str] = dataclasses.field(default_factory=dict)
    urgent: bool = False


@event
class NoticesChanged(Event):
    """Notices of some people changed: a new one, or one was read. ``targets`` are their stored forms."""

    targets: tuple[str, ...]


@event
class MessageFailed(Event):
    """An outgoing message was given up (fact)."""

    message_id: str
    channel: str
    code: str
    error: str
