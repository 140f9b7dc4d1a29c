"""What a repair cost, who bears it, and the signatures on it, K0 to K6 (domain.md §1.5, §4.4 RepairCost).

=============== ==================================== ==========================================
state           step                                 by
=============== ==================================== ==========================================
–, K0           write → COSTED                       whoever repairs
K0 COSTED       sign_service → CS_SIGNED             manager of customer service, not the author
K1 CS_SIGNED    sign_company → COMPANY_SIGNED        general manager, neither of the two before
K2 COMPANY_…    file → FILED                         customer service
K3 FILED        reconcile → RECONCILED               for a month that is not ahead
K4 RECONCILED   settle → SETTLED                     finance; the crew's part leaves its deposit
K5 SETTLED      close → CLOSED
K0 – K2         send_back → COSTED                   whose signature or filing is next, with reason
K1 – K4         write → COSTED                       a change voids the signatures; with reason
=============== ==================================== ==========================================
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from crm.domain.line_steps import SamePerson
from crm.domain.lines import one_line
from crm.domain.machine import refuse
from crm.domain.payments import money
from kernel.errors import Invalid

CENT = Decimal("0.01")
NOTHING = Decimal("0.00")
MOST = Decimal("9999999.99")
MAX_LINES = 100
MAX_ITEM = 80
_QUANTITY = Decimal("0.001")
MOST_QUANTITY = Decimal("99999.999")


class CostState(StrEnum):
    """Where a settlement stands; the numbers of domain.md are K0 to K6."""

    COSTED = "costed"
    CS_SIGNED = "cs_signed"
    COMPANY_SIGNED = "company_signed"
    FILED = "filed"
    RECONCILED = "reconciled"
    SETTLED = "settled"
    CLOSED = "closed"


class CostKind(StrEnum):
    """Normal: labour only. Abnormal: main or auxiliary material was replaced (非正常维修)."""

    NORMAL = "normal"
    ABNORMAL = "abnormal"


class MaterialKind(StrEnum):
    """Main 主材 or auxiliary 辅材."""

    MAIN = "main"
    AUXILIARY = "auxiliary"


class CostBearer(StrEnum):
    """Who pays (``bearer`` of domain.md §4.3)."""

    CREW = "crew"
    CUSTOMER = "customer"
    COMPANY = "company"
    MANUFACTURER = "manufacturer"
    OTHER = "other"


KIND_LABELS = {CostKind.NORMAL: "正常维修", CostKind.ABNORMAL: "非正常维修"}


class CostStep(StrEnum):
    """What moves a settlement."""

    WRITE = "write"
    SIGN_SERVICE = "sign_service"
    SIGN_COMPANY = "sign_company"
    SEND_BACK = "send_back"
    FILE = "file"
    RECONCILE = "reconcile"
    SETTLE = "settle"
    CLOSE = "close"


_S, _T = CostState, CostStep
STEPS: Mapping[CostState, frozenset[CostStep]] = {
    _S.COSTED: frozenset({_T.WRITE, _T.SIGN_SERVICE, _T.SEND_BACK}),
    _S.CS_SIGNED: frozenset({_T.WRITE, _T.SIGN_COMPANY, _T.SEND_BACK}),
    _S.COMPANY_SIGNED: frozenset({_T.WRITE, _T.FILE, _T.SEND_BACK}),
    _S.FILED: frozenset({_T.WRITE, _T.RECONCILE}),
    _S.RECONCILED: frozenset({_T.WRITE, _T.SETTLE}),
    _S.SETTLED: frozenset({_T.CLOSE}),
    _S.CLOSED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A line of material; ``price`` is for one of ``unit``.

    Attributes:
        code: of the catalogue's material that it is.
        why: why it is none of the catalogue.
    """

    item: str
    kind: MaterialKind
    quantity: Decimal
    price: Decimal
    unit: str = ""
    code: str = ""
    why: str = ""

    @property
    def amount(self) -> Decimal:
        """Quantity times price, to the cent."""
        return (self.quantity * self.price).quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A cost sheet with sound figures; the total and the kind follow from the lines."""

    labour: Decimal
    travel: Decimal
    material: tuple[Material, ...]
    bearers: Mapping[CostBearer, Decimal]
    receipt_no: str | None = None

    @property
    def total(self) -> Decimal:
        """Labour, material and travel."""
        return self.labour + self.travel + sum((line.amount for line in self.material), NOTHING)

    @property
    def kind(self) -> CostKind:
        """Abnormal if and only if there is a line of material."""
        return CostKind.ABNORMAL if self.material else CostKind.NORMAL

    def share(self, bearer: CostBearer) -> Decimal:
        """Return what one bears."""
        return self.bearers.get(bearer, NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A cost sheet as somebody fills it in; ``total`` is what they see at its foot."""

    labour: Decimal
    total: Decimal
    bearers: Mapping[CostBearer, Decimal]
    travel: Decimal = NOTHING
    material: Sequence[Material] = ()
    receipt_no: str | None = None


def read_sheet(figures: Figures, *, has_crew: bool) -> Sheet:
    """Return a sheet whose figures are sound.

    Args:
        has_crew: the crew that built the home is known, so that it can bear something.

    Raises:
        Invalid: an amount that cannot be; a total or bearers that do not add up; a customer who pays without
            a receipt. The field is named.
    """
    if len(figures.material) > MAX_LINES:
        raise Invalid(f"at most {MAX_LINES} lines", field="material")
    sheet = Sheet(
        labour=_amount(figures.labour, "labour"),
        travel=_amount(figures.travel, "travel"),
        material=tuple(_material(line, f"material.{at}") for at, line in enumerate(figures.material)),
        bearers={
            bearer: amount
            for bearer, given in figures.bearers.items()
            if (amount := _amount(given, f"bearers.{bearer.value}")) != NOTHING
        },
        receipt_no=one_line(figures.receipt_no, field="receipt_no", limit=40) if figures.receipt_no else None,
    )
    if sheet.total > MOST:
        raise Invalid(f"a sheet is {MOST} at the most", field="total")
    if _amount(figures.total, "total") != sheet.total:
        raise Invalid(f"labour, material and travel sum to {sheet.total}, not {figures.total}", field="total")
    borne = sum(sheet.bearers.values(), NOTHING)
    if borne != sheet.total:
        raise Invalid(f"the bearers' parts sum to {borne}, not to {sheet.total}", field="bearers")
    if sheet.share(CostBearer.CREW) and not has_crew:
        raise Invalid("the crew that built the home is not known", field="bearers.crew")
    if sheet.share(CostBearer.CUSTOMER) and not sheet.receipt_no:
        raise Invalid("the customer pays: write down the receipt's number", field="receipt_no")
    return sheet


def _amount(raw: Decimal, field: str) -> Decimal:
    amount = money(raw, field=field)
    if amount > MOST:
        raise Invalid(f"at most {MOST}", field=field)
    return amount


def _material(line: Material, field: str) -> Material:
    quantity = line.quantity
    if (
        not quantity.is_finite()
        or not 0 < quantity <= MOST_QUANTITY
        or quantity != quantity.quantize(_QUANTITY)
    ):
        raise Invalid("a quantity above 0 with at most three decimals", field=f"{field}.quantity")
    return replace(
        line,
        item=one_line(line.item, field=f"{field}.item", limit=MAX_ITEM),
        unit=one_line(line.unit, field=f"{field}.unit", limit=10) if line.unit else "",
        quantity=quantity,
        price=_amount(line.price, f"{field}.price"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who signed, and when."""

    user_id: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What the rules depend on.

    Attributes:
        author: user who wrote the sheet as it stands.
        month: ``2026-11``, in which it was reconciled.
        reason: why it was changed or sent back.
    """

    author: str
    state: CostState = CostState.COSTED
    service: Signature | None = None
    company: Signature | None = None
    filed_at: datetime | None = None
    month: str | None = None
    reason: str = ""
    revision: int = 1


def written(settlement: Settlement | None, *, author: str, reason: str = "") -> Settlement:
    """Write the sheet, or change it: what was signed before counts no more.

    Raises:
        IllegalStep: it is settled.
        Invalid: a change after a signature without a reason.
    """
    if settlement is None:
        return Settlement(author=author)
    _allow(settlement, CostStep.WRITE)
    if settlement.state is not CostState.COSTED and not reason:
        raise Invalid("somebody has signed it: say why it changes", field="reason")
    return Settlement(author=author, reason=reason, revision=settlement.revision + 1)


def signed_by_service(settlement: Settlement, signature: Signature) -> Settlement:
    """K1: the head of customer service signs.

    Raises:
        IllegalStep: it is not this signature's turn.
        SamePerson: the author signs.
    """
    _allow(settlement, CostStep.SIGN_SERVICE)
    if signature.user_id == settlement.author:
        raise SamePerson("whoever wrote the sheet does not sign it", field="signer")
    return replace(settlement, state=CostState.CS_SIGNED, service=signature, reason="")


def signed_by_company(settlement: Settlement, signature: Signature) -> Settlement:
    """K2: the company's head signs. Raises as :func:`signed_by_service` does."""
    _allow(settlement, CostStep.SIGN_COMPANY)
    earlier = {settlement.author, settlement.service.user_id if settlement.service else ""}
    if signature.user_id in earlier:
        raise SamePerson("whoever wrote or signed the sheet does not sign it once more", field="signer")
    return replace(settlement, state=CostState.COMPANY_SIGNED, company=signature)


def sent_back(settlement: Settlement, *, reason: str) -> Settlement:
    """Whoever is to sign or file does not: it is to be written anew."""
    _allow(settlement, CostStep.SEND_BACK)
    if not reason:
        raise Invalid("say what is wrong with it", field="reason")
    return replace(
        settlement,
        state=CostState.COSTED,
        service=None,
        company=None,
        reason=reason,
        revision=settlement.revision + 1,
    )


def filed(settlement: Settlement, *, at: datetime) -> Settlement:
    """K3: customer service files it."""
    _allow(settlement, CostStep.FILE)
    return replace(settlement, state=CostState.FILED, filed_at=at)


def reconciled(settlement: Settlement, *, month: str, filed_on: date, today: date) -> Settlement:
    """K4: it was compared with the books of a month.

    Raises:
        Invalid: that month is ahead, or before it was filed.
    """
    _allow(settlement, CostStep.RECONCILE)
    if month > f"{today:%Y-%m}":
        raise Invalid("that month has not begun", field="month")
    if month < f"{filed_on:%Y-%m}":
        raise Invalid("it was filed after that month", field="month")
    return replace(settlement, state=CostState.RECONCILED, month=month)


def settled(settlement: Settlement) -> Settlement:
    """K5: finance has settled it."""
    _allow(settlement, CostStep.SETTLE)
    return replace(settlement, state=CostState.SETTLED)


def closed(settlement: Settlement) -> Settlement:
    """K6."""
    _allow(settlement, CostStep.CLOSE)
    return replace(settlement, state=CostState.CLOSED)


def _allow(settlement: Settlement, step: CostStep) -> None:
    allowed = STEPS[settlement.state]
    if step not in allowed:
        raise refuse(step.value, settlement.state, [known.value for known in allowed])
