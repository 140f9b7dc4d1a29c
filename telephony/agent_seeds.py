"""The pause reasons and dispositions that every new centre starts with."""

import re
from dataclasses import dataclass

from telephony.domain.agent_state import REASON_NO_ANSWER, REASON_TAB_ASLEEP
from telephony.domain.disposition import Disposition, Need

CODE = re.compile(r"[a-z][a-z0-9_]{0,31}")


def is_code(text: str) -> bool:
    """Tell whether ``text`` has the form of a pause reason's or disposition's code."""
    return CODE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseReason:
    """Why an agent takes no calls; ``selectable`` false: only the system gives it."""

    code: str
    label_zh: str
    label_en: str
    selectable: bool = True


PAUSE_REASONS = (
    PauseReason(code="lunch", label_zh="午休", label_en="Lunch"),
    PauseReason(code="break", label_zh="短休", label_en="Break"),
    PauseReason(code="training", label_zh="培训", label_en="Training"),
    PauseReason(code="meeting", label_zh="会议", label_en="Meeting"),
    PauseReason(code="outbound", label_zh="外呼", label_en="Outbound work"),
    PauseReason(code="other", label_zh="其他", label_en="Other"),
    PauseReason(code=REASON_NO_ANSWER, label_zh="未接来电", label_en="Missed calls", selectable=False),
    PauseReason(code=REASON_TAB_ASLEEP, label_zh="页面无响应", label_en="Page silent", selectable=False),
)

DISPOSITIONS = (
    Disposition(code="answered_enquiry", label_zh="咨询已答复", label_en="Enquiry answered"),
    Disposition(code="complaint_logged", label_zh="已登记投诉", label_en="Complaint logged"),
    Disposition(code="repair_logged", label_zh="已登记报修", label_en="Repair logged"),
    Disposition(code="passed_on", label_zh="转其他部门", label_en="Passed on"),
    Disposition(code="customer_hung_up", label_zh="客户挂断", label_en="Customer hung up"),
    Disposition(code="nuisance", label_zh="骚扰/打错", label_en="Nuisance or wrong number"),
    Disposition(code="call_back", label_zh="需回电", label_en="Call back", needs=frozenset({Need.FOLLOW_UP})),
)
