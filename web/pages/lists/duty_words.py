"""Words of the duty roster and of patrols."""

from crm.domain.duty import PatrolSlot, Shift
from web.i18n import N_

SHIFTS = {"early": N_("早班"), "late": N_("晚班"), "night": N_("夜间值班")}
assert set(SHIFTS) == {shift.value for shift in Shift}
SLOTS = {"morning": N_("上午巡查"), "afternoon": N_("下午巡查")}
assert set(SLOTS) == {slot.value for slot in PatrolSlot}
FOUND = {"yes": N_("没有问题"), "no": N_("发现问题")}
