"""Cases as the hotline speaks of them: complaints and repairs with their status (domain.md §1.3, §1.5)."""

from enum import StrEnum


class CaseKind(StrEnum):
    """What the customer came with."""

    COMPLAINT = "complaint"
    REPAIR = "repair"


class CaseStatus(StrEnum):
    """Where the case stands."""

    REGISTERED = "registered"
    ACCEPTED = "accepted"
    PLANNED = "planned"
    ON_SITE = "on_site"
    DONE = "done"
    CLOSED = "closed"

    @property
    def is_open(self) -> bool:
        """Whether somebody still owes the customer something."""
        return self is not CaseStatus.CLOSED


KIND_LABELS = {CaseKind.COMPLAINT: "投诉", CaseKind.REPAIR: "报修"}

STATUS_LABELS = {
    CaseStatus.REGISTERED: "待接收",
    CaseStatus.ACCEPTED: "已接收",
    CaseStatus.PLANNED: "已约上门",
    CaseStatus.ON_SITE: "处理中",
    CaseStatus.DONE: "待回访",
    CaseStatus.CLOSED: "已结案",
}

SPOKEN_STATUS = {
    CaseStatus.REGISTERED: "已经登记,正在转交负责部门",
    CaseStatus.ACCEPTED: "负责部门已经受理,会尽快与您联系",
    CaseStatus.PLANNED: "已经安排好处理方案,工作人员会按约定时间上门",
    CaseStatus.ON_SITE: "工作人员正在处理",
    CaseStatus.DONE: "已经处理完毕,我们会给您回访确认",
    CaseStatus.CLOSED: "已经结案",
}
