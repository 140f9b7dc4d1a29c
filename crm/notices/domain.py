"""The rules of notices and messages: whom, how urgent, when, how often again. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

from kernel.access import Role
from kernel.errors import Invalid

KEPT = timedelta(days=90)
"""Notices and finished messages are forgotten after that."""
LINK_LENGTH = 200
KEY_LENGTH = 160
VALUE_LENGTH = 200
PARAMETERS = 30
ATTEMPTS = 8
"""Tries after which a message has failed: about nine hours after the first."""
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=4)

_CODE = re.compile(r"[a-z][a-z0-9_.]{1,39}")
_LINK = re.compile(r"/(?![/\\])[^\\\s\x00-\x1f\x7f]*")
_DEPARTMENT = re.compile(r"[A-Za-z0-9_-]{1,16}")
_USER = re.compile(r"[0-9A-Za-z_-]{1,40}")
_ADDRESS = re.compile(
    r"[A-Za-z0-9._%+=/!#$&'*?^`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
)


class Severity(StrEnum):
    """How urgent a notice is."""

    INFO = "info"
    WARN = "warn"
    URGENT = "urgent"
    """Goes out at night as well."""


class Channel(StrEnum):
    """A way out of the building."""

    SMS = "sms"
    WECOM = "wecom"
    """Enterprise WeChat 企业微信, a group's robot."""
    EMAIL = "email"
    WEBHOOK = "webhook"


class MessageState(StrEnum):
    """Where an outgoing message is."""

    WAITING = "waiting"
    SENDING = "sending"
    """Being sent; after a kill, sent again with the same key."""
    SENT = "sent"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    """The customer does not want it."""


class Scope(StrEnum):
    """What a message to a customer is about; refusals reach more or less far (domain.md §6.4)."""

    CASE = "case"
    """The customer's own open case; always allowed."""
    SURVEY = "survey"
    MARKETING = "marketing"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Target:
    """Who reads a notice: a user, everybody of a role, of a department, or of a role in a department."""

    user_id: str | None = None
    role: Role | None = None
    department: str | None = None

    @property
    def key(self) -> str:
        """The stored form: ``user:ID``, ``role:R``, ``department:D`` or ``department:D+R``."""
        if self.user_id is not None:
            return f"user:{self.user_id}"
        if self.department is None:
            return f"role:{self.role}"
        return f"department:{self.department}" + (f"+{self.role}" if self.role else "")

    @classmethod
    def parse(cls, key: str) -> Self:
        """Read the stored form.

        Raises:
            Invalid: it is none.
        """
        kind, _, rest = key.partition(":")
        department, _, role = rest.partition("+") if kind == "department" else ("", "", rest)
        try:
            if kind == "user" and _USER.fullmatch(rest):
                return cls(user_id=rest)
            if kind == "role":
                return cls(role=Role(role))
            if kind == "department" and _DEPARTMENT.fullmatch(department):
                return cls(department=department, role=Role(role) if role else None)
        except ValueError:
            pass
        raise Invalid(
            f"{key[:60]!r} names nobody: user:ID, role:ROLE, department:CODE or department:CODE+ROLE",
            field="recipients",
        )


def targets_of(user_id: str, role: Role | None, department: str | None) -> tuple[str, ...]:
    """Return the keys of every target that means this person."""
    keys = [f"user:{user_id}"]
    if role is not None:
        keys.append(f"role:{role}")
    if department:
        keys.append(f"department:{department}")
        if role is not None:
            keys.append(f"department:{department}+{role}")
    return tuple(keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """The people a record belongs to; rules speak of them as ``owner``, ``owner_head``, ``specialist``."""

    owner_user_id: str | None = None
    owner_department: str | None = None
    specialist_user_id: str | None = None


def recipients(expressions: Iterable[str], party: Party) -> tuple[Target, ...]:
    """Return whom a rule's expressions mean for a record of ``party``, each once.

    An owner who is a department without a named person is its head; so a breach never falls between chairs.

    Raises:
        Invalid: an expression means nothing.
    """
    found: dict[str, Target] = {}
    for expression in expressions:
        target = _recipient(expression, party)
        if target is not None:
            found.setdefault(target.key, target)
    return tuple(found.values())


def _recipient(expression: str, party: Party) -> Target | None:
    head = (
        Target(department=party.owner_department, role=Role.DEPARTMENT_HEAD)
        if party.owner_department
        else None
    )
    match expression:
        case "owner":
            return Target(user_id=party.owner_user_id) if party.owner_user_id else head
        case "owner_head":
            return head
        case "specialist":
            return Target(user_id=party.specialist_user_id) if party.specialist_user_id else None
        case "manager" | "general_manager":
            return Target(role=Role(expression))
        case _:
            return Target.parse(expression)


def check_code(code: str) -> str:
    """Return a notice's code.

    Raises:
        Invalid: not small letters, digits, dots and underscores.
    """
    if not _CODE.fullmatch(code):
        raise Invalid("code: small letters, digits, dots and underscores, 2 to 40", field="code")
    return code


def own_page(link: str) -> str:
    """Return a link to one of our pages, "" for none.

    Raises:
        Invalid: it leads elsewhere.
    """
    if link and (len(link) > LINK_LENGTH or not _LINK.fullmatch(link)):
        raise Invalid("link: a page of ours, such as /complaints/1", field="link")
    return link


def one_line(text: object, limit: int = VALUE_LENGTH) -> str:
    """Return the text on one line: control and format characters become blanks; cut at ``limit``."""
    raw = str(text)[: limit * 2]
    kept = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp", "Cs"} else c for c in raw)
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def tidy_parameters(given: Mapping[str, object]) -> dict[str, str]:
    """Return parameters fit to be stored: few, short, on one line each.

    Raises:
        Invalid: too many.
    """
    if len(given) > PARAMETERS:
        raise Invalid(f"parameters: at most {PARAMETERS}", field="parameters")
    return {one_line(name, 40): one_line(value) for name, value in given.items() if value is not None}


def check_address(channel: Channel, address: str) -> str:
    """Return an address of the channel in the form that is stored.

    Raises:
        Invalid: it cannot be one.
    """
    address = address.strip()
    fits = {
        Channel.EMAIL: len(address) <= 254 and bool(_ADDRESS.fullmatch(address)) and ".." not in address,
        Channel.SMS: bool(re.fullmatch(r"\+?[0-9]{5,20}", address)),
        Channel.WECOM: bool(re.fullmatch(r"@all|[A-Za-z0-9._@-]{1,64}", address)),
        Channel.WEBHOOK: len(address) <= 254 and bool(re.fullmatch(r"https?://[^\s\x00-\x1f\x7f]+", address)),
    }
    if not fits[channel]:
        raise Invalid(f"address: no address of the channel {channel}", field="address")
    return address


def masked_address(channel: str, address: str) -> str:
    """Return the address as lists show it: enough to tell two apart."""
    if channel == Channel.EMAIL:
        name, _, domain = address.partition("@")
        return f"{name[:1]}***@{domain}"
    if channel == Channel.SMS:
        return f"{address[:-8]}****{address[-4:]}" if len(address) > 8 else "****"
    if channel == Channel.WEBHOOK:
        # What follows the host may be a key.
        return "/".join(address.split("/")[:3]) + ("/…" if address.count("/") > 2 else "")
    return address


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When messages that are not urgent wait: from ``start`` to ``end`` of the site's day, over midnight too.

    The same hour twice means never.
    """

    start: time
    end: time
    zone: ZoneInfo

    def until(self, now: datetime) -> datetime | None:
        """Return when the quiet that reigns at ``now`` ends, ``None`` when none does."""
        if self.start == self.end:
            return None
        local = now.astimezone(self.zone)
        at = local.time()
        if self.start < self.end:
            quiet, days = self.start <= at < self.end, 0
        else:
            quiet, days = at >= self.start or at < self.end, int(at >= self.start)
        if not quiet:
            return None
        day = local.date() + timedelta(days=days)
        return datetime.combine(day, self.end, self.zone).astimezone(now.tzinfo)


def pause_after(attempts: int, *, spread: float, asked: timedelta | None = None) -> timedelta | None:
    """Return how long to wait after the ``attempts``-th failed try, ``None`` when it was the last.

    Args:
        spread: 0 to 1, random; the pause is between 75 and 125 % of its length, so that a thousand messages
            that failed together do not come back together.
        asked: what the other side asked for (Retry-After); no shorter than that, within reason.
    """
    if attempts >= ATTEMPTS:
        return None
    pause: timedelta = min(LONGEST_PAUSE, FIRST_PAUSE * 4 ** max(0, attempts - 1))
    pause = pause * (0.75 + 0.5 * spread)
    return max(pause, min(asked, LONGEST_PAUSE)) if asked is not None else pause


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a minute in the long run, and up to ``burst`` at once."""

    per_minute: float
    burst: int = 1

    @property
    def interval(self) -> timedelta:
        """The pace in the long run."""
        return timedelta(minutes=1) / self.per_minute

    def reserve(self, booked_until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
        """Return when the next one may go, and what the bucket is booked until from then on.

        The bucket is the virtual queue of the generic cell rate algorithm: who comes while it is full gets
        the next free moment instead of a refusal, so nothing is dropped and nobody asks twice.
        """
        booked = max(booked_until or now, now)
        slot = max(now, booked - self.interval * (self.burst - 1))
        return slot, booked + self.interval


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRequest:
    """A notice to be given.

    Attributes:
        code: names its texts and its rule in ``rules.yaml``.
        parameters: what the texts are filled with.
        key: the same key is never shown twice.
        also: further targets (``Target.key``) besides the rule's.
        not_before: given then, unless it is forgotten before.
        subject: what a later notice is about, for :class:`Forget`.
    """

    code: str
    key: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    link: str = ""
    party: Party = field(default_factory=Party)
    also: tuple[str, ...] = ()
    fact_id: str | None = None
    expires_at: datetime | None = None
    not_before: datetime | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Forget:
    """Later notices about a subject are not given any more: what they remind of has been done."""

    subject: str
