"""What all cases share: kinds, states, severities, sources (domain.md §1.3–1.5, §4.3, §4.4)."""

import re
from enum import IntEnum, StrEnum


class CaseKind(StrEnum):
    """What the customer came with; the value of :data:`PREFIXES` begins the case's number."""

    COMPLAINT = "complaint"
    REPAIR = "repair"
    TICKET = "ticket"


PREFIXES = {CaseKind.COMPLAINT: "TS", CaseKind.REPAIR: "BX", CaseKind.TICKET: "TD"}


class CaseStatus(StrEnum):
    """Where a case stands; each kind uses its own part of them (:data:`STATUSES`)."""

    REGISTERED = "registered"
    HANDED_OFF = "handed_off"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    VERIFIED = "verified"
    PLANNED = "planned"
    ON_SITE = "on_site"
    DONE = "done"
    CALLBACK = "callback"
    CLOSED = "closed"
    NOT_FILED = "not_filed"
    ROUTED = "routed"
    NOTIFIED = "notified"
    CONTACTED = "contacted"
    APPOINTED = "appointed"
    VISITED = "visited"
    OPEN = "open"
    IN_HAND = "in_hand"
    SOLVED = "solved"
    CONVERTED = "converted"

    @property
    def is_open(self) -> bool:
        """Whether somebody still owes the customer something."""
        return self not in FINAL


FINAL = frozenset({CaseStatus.CLOSED, CaseStatus.NOT_FILED, CaseStatus.CONVERTED})

STATUSES: dict[CaseKind, tuple[CaseStatus, ...]] = {
    CaseKind.COMPLAINT: (
        CaseStatus.REGISTERED,  # C0
        CaseStatus.HANDED_OFF,  # C1
        CaseStatus.REJECTED,  # C2R
        CaseStatus.ACCEPTED,  # C2
        CaseStatus.VERIFIED,  # C3
        CaseStatus.PLANNED,  # C4
        CaseStatus.ON_SITE,  # C5
        CaseStatus.DONE,  # C6
        CaseStatus.CALLBACK,  # C7
        CaseStatus.CLOSED,  # C8
        CaseStatus.NOT_FILED,  # CN
    ),
    CaseKind.REPAIR: (
        CaseStatus.REGISTERED,  # R0
        CaseStatus.ROUTED,  # R1
        CaseStatus.NOTIFIED,  # R2
        CaseStatus.CONTACTED,  # R3
        CaseStatus.APPOINTED,  # R4
        CaseStatus.VISITED,  # R5
        CaseStatus.CALLBACK,  # R6
        CaseStatus.CLOSED,  # R7
    ),
    CaseKind.TICKET: (
        CaseStatus.OPEN,
        CaseStatus.IN_HAND,
        CaseStatus.SOLVED,
        CaseStatus.VERIFIED,
        CaseStatus.CLOSED,
        CaseStatus.CONVERTED,
    ),
}
"""Kind → its states in the order in which a case goes through them."""


class Severity(IntEnum):
    """How bad it is (domain.md §1.3): 2 for safety, hazards, unauthorised charges or repeated calls."""

    GENERAL = 1
    SERIOUS = 2
    MAJOR = 3


class Source(StrEnum):
    """How it reached us (``channel_in`` of domain.md §4.3)."""

    PHONE = "phone"
    CALLBACK = "callback"
    VISIT = "visit"
    WECHAT = "wechat"
    WEB = "web"
    STORE = "store"
    DEPARTMENT = "department"
    LETTER = "letter"
    REGULATOR = "regulator"
    MEDIA = "media"
    HOTLINE_FORWARD = "hotline_forward"


KIND_LABELS = {CaseKind.COMPLAINT: "投诉", CaseKind.REPAIR: "报修", CaseKind.TICKET: "回访问题"}

STATUS_LABELS = {
    CaseStatus.REGISTERED: "待转交",
    CaseStatus.HANDED_OFF: "待接收",
    CaseStatus.ACCEPTED: "已接收",
    CaseStatus.REJECTED: "部门退回",
    CaseStatus.VERIFIED: "已电话核实",
    CaseStatus.PLANNED: "已约上门",
    CaseStatus.ON_SITE: "处理中",
    CaseStatus.DONE: "待回访",
    CaseStatus.CALLBACK: "已回访",
    CaseStatus.CLOSED: "已结案",
    CaseStatus.NOT_FILED: "不立案",
    CaseStatus.ROUTED: "已定维修方",
    CaseStatus.NOTIFIED: "已通知维修方",
    CaseStatus.CONTACTED: "已联系客户",
    CaseStatus.APPOINTED: "已约上门",
    CaseStatus.VISITED: "已上门",
    CaseStatus.OPEN: "未处理",
    CaseStatus.IN_HAND: "在处理",
    CaseStatus.SOLVED: "已解决",
    CaseStatus.CONVERTED: "已转投诉",
}

_WITH_DEPARTMENT = "负责部门已经受理，会尽快与您联系"
_AT_WORK = "工作人员正在处理"
SPOKEN_STATUS = {
    CaseStatus.REGISTERED: "已经登记，正在转交负责部门",
    CaseStatus.HANDED_OFF: "已经转交负责部门，正在等待受理",
    CaseStatus.ACCEPTED: _WITH_DEPARTMENT,
    CaseStatus.REJECTED: "正在重新核实负责部门，会尽快给您答复",
    CaseStatus.VERIFIED: "已经向您核实过情况，正在制定处理方案",
    CaseStatus.PLANNED: "已经安排好处理方案，工作人员会按约定时间上门",
    CaseStatus.ON_SITE: _AT_WORK,
    CaseStatus.DONE: "已经处理完毕，我们会给您回访确认",
    CaseStatus.CALLBACK: "已经给您回访过，正在办理结案",
    CaseStatus.CLOSED: "已经结案",
    CaseStatus.NOT_FILED: "已经处理完毕",
    CaseStatus.ROUTED: "已经安排维修人员",
    CaseStatus.NOTIFIED: "已经通知维修人员，会尽快与您联系",
    CaseStatus.CONTACTED: "维修人员已经与您联系过，正在安排上门时间",
    CaseStatus.APPOINTED: "已经约好上门维修时间",
    CaseStatus.VISITED: "维修人员已经上门，我们会给您回访确认",
    CaseStatus.OPEN: "已经登记，正在转交负责部门",
    CaseStatus.IN_HAND: _AT_WORK,
    CaseStatus.SOLVED: "已经处理完毕，我们会给您回访确认",
    CaseStatus.CONVERTED: "已经作为投诉处理",
}
"""A sentence that may be read to the caller."""

_SUMMARY = 80
_GAP = r"[ \t.·\-\u2010-\u2015]{0,2}"
_COUNTRY = rf"(?:(?:\+|00)?86{_GAP})?"
_MOBILE = rf"(?P<mobile>{_COUNTRY}0?1[3-9]\d){_GAP}\d{{4}}{_GAP}(?P<last>\d{{4}})"
# Without its 0 only after the country code; an eight-digit number may be written in two halves.
_AREA = rf"[(\[（]?(?:{_COUNTRY}0|(?:\+|00)86{_GAP})(?:10|2\d|[3-9]\d{{2}})[)\]）]?"
_EXTENSION = r"(?:[ \t]?(?:转|分机|ext\.?|x|-)[ \t]?\d{1,6})?"
_LANDLINE = rf"(?P<area>{_AREA}){_GAP}[1-9]\d{{2,3}}{_GAP}(?P<end>\d{{4}}){_EXTENSION}"
_NUMBER = re.compile(rf"(?<![\dA-Za-z])(?:{_MOBILE}|{_LANDLINE})(?!\d)", re.ASCII | re.IGNORECASE)
_WIDE = {ord("０") + digit: str(digit) for digit in range(10)} | {ord("－"): "-", ord("＋"): "+", 0x3000: " "}


def mask_numbers(text: str) -> str:
    """Return a text in which the middle of every mobile and landline number is hidden.

    Landlines are known by their area code; extensions are left out (domain.md §6.3).
    """
    # Character for character, so that a match is where it is in the text.
    plain, shown, done = text.translate(_WIDE), [], 0
    for found in _NUMBER.finditer(plain):
        first, last = ("mobile", "last") if found["mobile"] else ("area", "end")
        shown += [text[done : found.start()], f"{found[first]}****{found[last]}"]
        done = found.end()
    return "".join((*shown, text[done:]))


def summary_of(content: str) -> str:
    """Return the first line of a content, cut for lists; a number somebody wrote into it is masked.

    Lists, notices and messages show it to many more people than the case itself.
    """
    line = mask_numbers(content.split("\n", 1)[0])
    return line if len(line) <= _SUMMARY else line[: _SUMMARY - 1] + "…"
