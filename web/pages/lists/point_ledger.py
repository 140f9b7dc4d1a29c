"""What stands in a month's ledger of the repair points, in words (domain.md §1.13)."""

from crm.point_ledger import LedgerKind, LedgerRow
from crm.sheets import Cell
from web import labels
from web.i18n import N_, gettext

KINDS = {
    "issue": N_("配件领用"),
    "return": N_("配件退回"),
    "labour": N_("维修人工"),
    "travel": N_("维修路费"),
    "material": N_("维修材料"),
    "budget": N_("月度预算"),
    "actual": N_("月度实际"),
}
assert set(KINDS) == {kind.value for kind in LedgerKind}


def ledger_titles() -> list[Cell]:
    """Return the heading of the ledger."""
    return [
        gettext("维修点"),
        gettext("协议编号"),
        gettext("日期"),
        gettext("类别"),
        gettext("单号"),
        gettext("配件、材料或部位"),
        gettext("数量"),
        gettext("单价"),
        gettext("金额"),
        gettext("残次品"),
        gettext("已审批"),
        gettext("备注"),
        gettext("经手人"),
    ]


def ledger_row(item: LedgerRow) -> list[Cell]:
    """Return a row of the ledger in words."""
    return [
        item.point,
        item.agreement_no,
        item.on_day.isoformat() if item.on_day else "",
        labels.word(KINDS, item.kind.value),
        item.ref,
        item.item,
        float(item.quantity) if item.quantity is not None else "",
        float(item.price) if item.price is not None else "",
        # A number, not a text: what came back has a minus, and a ledger is added up.
        float(item.amount),
        gettext("是") if item.defective else "",
        "" if item.approved is None else gettext("是") if item.approved else gettext("否"),
        item.note,
        item.by,
    ]
