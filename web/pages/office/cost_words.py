"""What the codes of settlements are called, and who takes which step of them."""

from crm.domain.repair_cost import CostBearer, CostKind, CostState, MaterialKind
from kernel.access import Permission
from web.i18n import N_

STATES = {
    "costed": N_("待客服部主管签字"),
    "cs_signed": N_("待公司主管签字"),
    "company_signed": N_("待客服中心备案"),
    "filed": N_("已备案，待月底对账"),
    "reconciled": N_("已对账，待财务结算"),
    "settled": N_("财务已结算"),
    "closed": N_("已完结"),
}
TONES = {"costed": "amber", "cs_signed": "amber", "settled": "green", "closed": "green"}
KINDS = {"normal": N_("正常维修"), "abnormal": N_("非正常维修")}
MATERIALS = {"main": N_("主材"), "auxiliary": N_("辅材")}
BEARERS = {
    "crew": N_("施工队"),
    "customer": N_("客户"),
    "company": N_("公司"),
    "manufacturer": N_("厂商"),
    "other": N_("其他"),
}
CODES = {state: f"K{place}" for place, state in enumerate(STATES)}
NEEDS = {
    "write": (Permission.REPAIRS_WORK, Permission.CASES_REGISTER),
    "sign_service": (Permission.COSTS_SIGN_SERVICE,),
    "sign_company": (Permission.COSTS_SIGN_COMPANY,),
    "file": (Permission.CASES_REGISTER,),
    "reconcile": (Permission.DEPOSITS_POST, Permission.COSTS_SIGN_SERVICE),
    "settle": (Permission.DEPOSITS_POST,),
    "close": (Permission.DEPOSITS_POST, Permission.COSTS_SIGN_SERVICE),
}
"""Step → one of these permissions; the services check it once more."""
NEXT_SIGNER = {"costed": "sign_service", "cs_signed": "sign_company", "company_signed": "file"}
"""State → the step of whoever may also send the sheet back."""

assert set(STATES) == {state.value for state in CostState}
assert set(KINDS) == {kind.value for kind in CostKind}
assert set(MATERIALS) == {kind.value for kind in MaterialKind}
assert set(BEARERS) == {bearer.value for bearer in CostBearer}
