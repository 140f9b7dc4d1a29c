"""``/api/v1/repairs/…/cost``, ``/repair-costs`` and ``/deposits``: settlements and crews' deposits."""

from crm.domain.repair_cost import Figures, Material
from crm.settlement_read import CostFilter
from crm.settlement_views import CostView
from web.api.operation import Call, operation
from web.api.v1.changes import Changes
from web.api.v1.repairs import REPAIR, services
from web.api.v1.repairs_costs_schemas import (
    ClearIn,
    CostMonthIn,
    CostReasonIn,
    CostSheet,
    CostSheetIn,
    CostSheets,
    CostsQuery,
    CrewMonths,
    CrewMonthShown,
    Deposit,
    MonthQuery,
    PostingIn,
    Receivable,
    Receivables,
    ReceivablesQuery,
)
from web.api.v1.schemas import NoQuery
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

COST = (("cost_id", "Id of the settlement."),)
CREW = (("crew_id", "Id of the crew."),)
RECEIVABLE = (("receivable_id", "Id of the receivable."),)
TAG = "settlements"
WRITTEN = 'By whoever works on the repair. `If-Match: "0"` for the first sheet; a change voids signatures.'
costs_change = Changes(response=CostSheet, tag=TAG, path_parameters=COST)


def _id(call: Call[NoQuery]) -> str:
    return call.request.match_info["cost_id"]


def _shown(view: CostView) -> CostSheet:
    return CostSheet.model_validate(view)


@operation(
    query=NoQuery,
    body=CostSheetIn,
    response=CostSheet,
    permission=Permission.CASES_VIEW,
    summary="Write or change the cost sheet of a repair (K0)",
    description=WRITTEN,
    tag=TAG,
    path_parameters=REPAIR,
    if_match=True,
    idempotent=Idempotency.REQUIRED,
)
async def write_cost(call: Call[NoQuery]) -> CostSheet:
    """Write or change a cost sheet."""
    given = call.body(CostSheetIn)
    figures = Figures(
        labour=given.labour,
        travel=given.travel,
        material=tuple(Material(**line.model_dump()) for line in given.material),
        total=given.total,
        bearers=given.bearers,
        receipt_no=given.receipt_no,
    )
    view = await services(call).settlements.write(
        call.actor,
        call.request.match_info["case_id"],
        expected=call.expected,
        figures=figures,
        reason=given.reason,
    )
    return _shown(view)


@operation(
    query=NoQuery,
    response=CostSheet,
    permission=Permission.CASES_VIEW,
    summary="Read the cost sheet of a repair",
    tag=TAG,
    path_parameters=REPAIR,
)
async def get_repair_cost(call: Call[NoQuery]) -> CostSheet:
    """Return the settlement of a repair."""
    return _shown(await services(call).costs.of_repair(call.actor, call.request.match_info["case_id"]))


@operation(
    query=CostsQuery,
    response=CostSheets,
    permission=Permission.CASES_VIEW,
    summary="List settlements, the newest sheet first",
    tag=TAG,
)
async def list_costs(call: Call[CostsQuery]) -> CostSheets:
    """Return a page of settlements."""
    asked = call.query
    wanted = CostFilter(
        states=(asked.state,) if asked.state else (),
        kind=asked.kind,
        month=asked.month,
        crew_id=asked.crew_id,
    )
    costs = call.request.app[CRM].repairs.costs
    page = await costs.page(call.actor, wanted, cursor=asked.cursor, limit=asked.limit)
    return CostSheets.model_validate(page)


@operation(
    query=NoQuery,
    response=CostSheet,
    permission=Permission.CASES_VIEW,
    summary="Read a settlement",
    tag=TAG,
    path_parameters=COST,
)
async def get_cost(call: Call[NoQuery]) -> CostSheet:
    """Return a settlement."""
    return _shown(await services(call).costs.get(call.actor, _id(call)))


@costs_change(
    permission=Permission.COSTS_SIGN_SERVICE,
    summary="Sign as the head of customer service (K1)",
    idempotent=Idempotency.OPTIONAL,
)
async def sign_cost_service(call: Call[NoQuery]) -> CostSheet:
    """Sign as the head of customer service; never one's own sheet."""
    return _shown(
        await services(call).settlements.sign_service(call.actor, _id(call), expected=call.expected)
    )


@costs_change(
    permission=Permission.COSTS_SIGN_COMPANY,
    summary="Sign as the head of the company (K2)",
    idempotent=Idempotency.OPTIONAL,
)
async def sign_cost_company(call: Call[NoQuery]) -> CostSheet:
    """Sign as the head of the company."""
    return _shown(
        await services(call).settlements.sign_company(call.actor, _id(call), expected=call.expected)
    )


@costs_change(
    body=CostReasonIn,
    permission=Permission.CASES_VIEW,
    summary="Send a sheet back",
    description="By whoever is next to sign or to file it.",
    idempotent=Idempotency.OPTIONAL,
)
async def send_cost_back(call: Call[NoQuery]) -> CostSheet:
    """Send a sheet back to be written anew."""
    reason = call.body(CostReasonIn).reason
    view = await services(call).settlements.send_back(
        call.actor, _id(call), expected=call.expected, reason=reason
    )
    return _shown(view)


@costs_change(
    permission=Permission.CASES_REGISTER,
    summary="File a signed sheet (K3)",
    idempotent=Idempotency.OPTIONAL,
)
async def file_cost(call: Call[NoQuery]) -> CostSheet:
    """File a signed sheet."""
    return _shown(await services(call).settlements.file(call.actor, _id(call), expected=call.expected))


@costs_change(
    body=CostMonthIn,
    permission=Permission.DEPOSITS_VIEW,
    summary="Reconcile with a month's books (K4)",
    description="By finance or the head of customer service.",
    idempotent=Idempotency.OPTIONAL,
)
async def reconcile_cost(call: Call[NoQuery]) -> CostSheet:
    """Reconcile a settlement with a month's books."""
    month = call.body(CostMonthIn).month
    view = await services(call).settlements.reconcile(
        call.actor, _id(call), expected=call.expected, month=month
    )
    return _shown(view)


@costs_change(
    permission=Permission.DEPOSITS_POST,
    summary="Settle: take the crew's part from its deposit (K5)",
    description="What the deposit does not suffice for becomes a receivable.",
    idempotent=Idempotency.REQUIRED,
)
async def settle_cost(call: Call[NoQuery]) -> CostSheet:
    """Settle."""
    return _shown(await services(call).settlements.settle(call.actor, _id(call), expected=call.expected))


@costs_change(
    permission=Permission.DEPOSITS_VIEW,
    summary="Close a settlement (K6)",
    description="By finance or the head of customer service.",
    idempotent=Idempotency.OPTIONAL,
)
async def close_cost(call: Call[NoQuery]) -> CostSheet:
    """Close a settlement."""
    return _shown(await services(call).settlements.close(call.actor, _id(call), expected=call.expected))


@operation(
    query=MonthQuery,
    response=CrewMonths,
    permission=Permission.DEPOSITS_VIEW,
    summary="Compare a month's settlements and deposits by crew",
    tag=TAG,
)
async def reconcile_month(call: Call[MonthQuery]) -> CrewMonths:
    """Return what is compared with each crew at a month's end."""
    costs = call.request.app[CRM].repairs.costs
    found = await costs.month(call.actor, call.query.month, crew_id=call.query.crew_id)
    return CrewMonths(items=tuple(CrewMonthShown.model_validate(item) for item in found))


@operation(
    query=NoQuery,
    response=Deposit,
    permission=Permission.DEPOSITS_VIEW,
    summary="Read a crew's deposit",
    tag=TAG,
    path_parameters=CREW,
)
async def get_deposit(call: Call[NoQuery]) -> Deposit:
    """Return a crew's deposit."""
    crew_id = call.request.match_info["crew_id"]
    return Deposit.model_validate(await services(call).deposits.account(call.actor, crew_id))


@operation(
    query=NoQuery,
    body=PostingIn,
    response=Deposit,
    permission=Permission.DEPOSITS_POST,
    summary="Post to a crew's deposit",
    description="Postings are never changed; a mistake is put right by an adjustment.",
    tag=TAG,
    path_parameters=CREW,
    status=201,
    idempotent=Idempotency.REQUIRED,
)
async def post_deposit(call: Call[NoQuery]) -> Deposit:
    """Post to a crew's deposit."""
    given = call.body(PostingIn)
    view = await services(call).deposits.post(
        call.actor,
        call.request.match_info["crew_id"],
        kind=given.kind,
        amount=given.amount,
        note=given.note,
        project_id=given.project_id,
    )
    return Deposit.model_validate(view)


@operation(
    query=ReceivablesQuery,
    response=Receivables,
    permission=Permission.DEPOSITS_VIEW,
    summary="List what crews owe beyond their deposits",
    tag=TAG,
)
async def list_receivables(call: Call[ReceivablesQuery]) -> Receivables:
    """Return receivables, oldest first."""
    asked, deposits = call.query, call.request.app[CRM].repairs.deposits
    page = await deposits.receivables(
        call.actor, crew_id=asked.crew_id, is_open=asked.is_open, cursor=asked.cursor, limit=asked.limit
    )
    return Receivables.model_validate(page)


@operation(
    query=NoQuery,
    body=ClearIn,
    response=Receivable,
    permission=Permission.DEPOSITS_POST,
    summary="Note that a receivable was settled",
    tag=TAG,
    path_parameters=RECEIVABLE,
    if_match=True,
    idempotent=Idempotency.REQUIRED,
)
async def clear_receivable(call: Call[NoQuery]) -> Receivable:
    """Note that a receivable was settled."""
    view = await services(call).deposits.clear(
        call.actor,
        call.request.match_info["receivable_id"],
        expected=call.expected,
        note=call.body(ClearIn).note,
    )
    return Receivable.model_validate(view)


ROUTES = (
    ("GET", "/repairs/{case_id}/cost", get_repair_cost),
    ("PUT", "/repairs/{case_id}/cost", write_cost),
    ("GET", "/repair-costs", list_costs),
    ("GET", "/repair-costs/{cost_id}", get_cost),
    ("POST", "/repair-costs/{cost_id}/sign-service", sign_cost_service),
    ("POST", "/repair-costs/{cost_id}/sign-company", sign_cost_company),
    ("POST", "/repair-costs/{cost_id}/send-back", send_cost_back),
    ("POST", "/repair-costs/{cost_id}/file", file_cost),
    ("POST", "/repair-costs/{cost_id}/reconcile", reconcile_cost),
    ("POST", "/repair-costs/{cost_id}/settle", settle_cost),
    ("POST", "/repair-costs/{cost_id}/close", close_cost),
    ("GET", "/deposits/month", reconcile_month),
    ("GET", "/crews/{crew_id}/deposit", get_deposit),
    ("POST", "/crews/{crew_id}/deposit/postings", post_deposit),
    ("GET", "/receivables", list_receivables),
    ("POST", "/receivables/{receivable_id}/clear", clear_receivable),
)
