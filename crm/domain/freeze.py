"""Freezing a customer's callbacks (domain.md CB-3), refusals to be called and consents (§6.4)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum

from kernel.errors import Invalid

LONGEST_FREEZE = timedelta(days=730)


class FreezeScope(StrEnum):
    """Which callbacks stand still."""

    SITE = "site"
    """Callbacks about the work: start, concealed, mid-term, completion."""
    CASE = "case"
    """Callbacks about complaints and repairs, existing and new ones."""
    ALL = "all"


class CallbackKind(StrEnum):
    """Kinds of callback (domain.md §1.1)."""

    START = "KG"
    CONCEALED = "YB"
    MIDTERM = "ZQ"
    COMPLETION = "WG"
    FINISHED = "JG"
    COMPLAINT = "TS"
    REPAIR = "BX"
    RANDOM = "RT"
    PERIODIC = "PD"
    VISIT = "VISIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """The answer to «is a callback needed now?» that every thaw asks for."""

    needed: bool
    kind: CallbackKind | None = None
    on: date | None = None


def check_freeze(planned_thaw: date | None, *, today: date) -> None:
    """Raises Invalid when the planned day of the thaw is not after today, or more than two years away."""
    if planned_thaw is None:
        return
    if planned_thaw <= today:
        raise Invalid("the planned thaw must be after today", field="planned_thaw")
    if planned_thaw > today + LONGEST_FREEZE:
        raise Invalid("at most two years", field="planned_thaw")


def check_follow_up(answer: FollowUp, *, today: date) -> None:
    """Raises Invalid when a needed callback has no kind or no day, or an unneeded one has either."""
    if answer.needed:
        if answer.kind is None:
            raise Invalid("say which callback is needed", field="callback_kind")
        if answer.on is None:
            raise Invalid("say on which day", field="callback_on")
        if answer.on < today:
            raise Invalid("the day has passed", field="callback_on")
    elif answer.kind is not None or answer.on is not None:
        raise Invalid("leave kind and day empty when no callback is needed", field="callback_needed")


def is_frozen(planned_thaw: date | None, thawed_at: datetime | None, *, today: date) -> bool:
    """Tell whether a freeze is in force: it ends by itself when the planned day comes."""
    return thawed_at is None and (planned_thaw is None or today < planned_thaw)


def blocks(scope: FreezeScope, asked: FreezeScope) -> bool:
    """Tell whether a freeze of ``scope`` holds back callbacks of ``asked``."""
    return scope is FreezeScope.ALL or asked in {scope, FreezeScope.ALL}


def widest(scopes: Iterable[FreezeScope]) -> FreezeScope | None:
    """Return what several freezes together hold back."""
    found = set(scopes)
    if not found:
        return None
    return found.pop() if len(found) == 1 else FreezeScope.ALL


class RefusalLevel(IntEnum):
    """What the customer does not want; each level is a refusal of its own."""

    SURVEYS = 1
    MARKETING = 2
    ALL = 3
    """Everything but contact about an open case."""


class RefusalSource(StrEnum):
    """How the customer said it."""

    KEY_9 = "key9"
    AGENT = "agent"
    SMS = "sms"
    WECHAT = "wechat"
    LETTER = "letter"
    REGULATOR = "regulator"
    IMPORT = "import"


class ContactPurpose(StrEnum):
    """Why somebody is called or written to."""

    SURVEY = "survey"
    MARKETING_CALL = "marketing_call"
    MARKETING_SMS = "marketing_sms"
    SERVICE = "service"
    """Part of the contract, but about no open case: appointments, notices."""
    CASE = "case"
    """About a case that is open."""


MARKETING = frozenset({ContactPurpose.MARKETING_CALL, ContactPurpose.MARKETING_SMS})


def refuses(level: RefusalLevel, purpose: ContactPurpose) -> bool:
    """Tell whether a refusal of ``level`` stands against contact for ``purpose``."""
    match level:
        case RefusalLevel.SURVEYS:
            return purpose is ContactPurpose.SURVEY
        case RefusalLevel.MARKETING:
            return purpose in MARKETING
        case RefusalLevel.ALL:
            return purpose is not ContactPurpose.CASE


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseCall:
    """A call about a case, as a refusal of everything asks about it.

    Attributes:
        safety: it is about safety, water or electricity: severity 2 and up (domain.md §1.3).
        by_human: a person asked for this call and talks; no dialler and no machine.
        called_at: when somebody was last called about this case.
    """

    is_open: bool
    safety: bool
    by_human: bool
    called_at: datetime | None = None


def is_last_call(call: CaseCall, refused_at: datetime) -> bool:
    """Tell whether a call may be made though everything was refused.

    A service call about an open safety ticket is still allowed, once, by a human (domain.md §6.4).
    """
    called = call.called_at is not None and call.called_at >= refused_at
    return call.is_open and call.safety and call.by_human and not called


class ConsentPurpose(StrEnum):
    """What a consent is for."""

    SERVICE_CALLBACK = "service_callback"
    RECORDING = "recording"
    MARKETING_CALL = "marketing_call"
    MARKETING_SMS = "marketing_sms"
    CASE_PHOTO_PUBLIC = "case_photo_public"


class ConsentBasis(StrEnum):
    """On what the processing rests (PIPL art. 13)."""

    CONTRACT = "contract"
    CONSENT = "consent"


NEEDS_CONSENT = frozenset(
    {ConsentPurpose.MARKETING_CALL, ConsentPurpose.MARKETING_SMS, ConsentPurpose.CASE_PHOTO_PUBLIC}
)


def check_basis(purpose: ConsentPurpose, basis: ConsentBasis) -> None:
    """Raises Invalid where the contract is no ground: marketing and publishing need consent."""
    if purpose in NEEDS_CONSENT and basis is not ConsentBasis.CONSENT:
        raise Invalid("this purpose needs the customer's consent", field="basis")
