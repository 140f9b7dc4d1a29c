"""Stages of a project. The number is the rank: stages only move up (domain.md §1.1, §4.3)."""

from enum import IntEnum


class Stage(IntEnum):
    """Stage of a renovation project; compare with ``<`` for earlier."""

    TERMINATED = -3
    SUSPENDED = -2
    CANCELLED = -1
    PROPOSAL = 10
    AUDIT = 15
    SIGNED = 20
    REGISTERED = 25
    AWAIT_DISPATCH = 30
    CREW_ASSIGNED = 35
    START_DATE = 40
    STARTED = 50
    CONCEALED = 60
    MIDTERM = 70
    MID_PAID = 75
    COMPLETED = 80
    FINAL_PAID = 85
    DELIVERED = 90
    IN_WARRANTY = 95
    OUT_OF_WARRANTY = 99

    @property
    def label(self) -> str:
        """The office's word for it."""
        return STAGE_LABELS[self]


STAGE_LABELS: dict[Stage, str] = {
    Stage.TERMINATED: "合同异常终止",
    Stage.SUSPENDED: "停工",
    Stage.CANCELLED: "已退单",
    Stage.PROPOSAL: "方案已定，未签约",
    Stage.AUDIT: "图纸审核中",
    Stage.SIGNED: "已签约",
    Stage.REGISTERED: "档案登记",
    Stage.AWAIT_DISPATCH: "待派单",
    Stage.CREW_ASSIGNED: "已派施工队",
    Stage.START_DATE: "已定开工日期",
    Stage.STARTED: "已开工",
    Stage.CONCEALED: "隐蔽工程完成",
    Stage.MIDTERM: "中期验收",
    Stage.MID_PAID: "已交中期款",
    Stage.COMPLETED: "完工",
    Stage.FINAL_PAID: "已交尾款",
    Stage.DELIVERED: "已交付",
    Stage.IN_WARRANTY: "保修期内",
    Stage.OUT_OF_WARRANTY: "过保",
}
