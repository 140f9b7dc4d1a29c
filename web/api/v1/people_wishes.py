"""``/api/v1``: what customers refused and agreed to, and customers who turned out to be one."""

import dataclasses

from crm.do_not_call import RefusalFilter
from crm.domain.freeze import RefusalLevel
from kernel.phone import mask
from web.api.operation import Call, operation
from web.api.v1.people import CUSTOMER_ID, EDIT, MERGE, VIEW, Route, services, shown
from web.api.v1.people_schemas import (
    CandidateList,
    CandidatesQuery,
    ConsentIn,
    ConsentList,
    ConsentOut,
    CustomerRecordOut,
    LiftIn,
    ListedMergeOut,
    ListedRefusalOut,
    MergeIn,
    MergeList,
    MergeOut,
    MergePageOut,
    MergesQuery,
    NumberRefusalIn,
    RecordReasonIn,
    RefusalIn,
    RefusalList,
    RefusalOut,
    RefusalPageOut,
    RefusalsQuery,
    WithdrawIn,
)
from web.api.v1.schemas import NoQuery
from web.idempotency import Idempotency

ENTRY_ID = (("entry_id", "Id of the entry"),)
CONSENT_ID = (("consent_id", "Id of the consent"),)
MERGE_ID = (("merge_id", "Id of the merge"),)


def _key(call: Call[NoQuery], name: str = "customer_id") -> str:
    return call.request.match_info[name]


@operation(
    query=NoQuery,
    response=RefusalList,
    permission=VIEW,
    summary="List what a customer refused",
    tag="customers",
    path_parameters=CUSTOMER_ID,
)
async def list_refusals(call: Call[NoQuery]) -> RefusalList:
    """Return the customer's entries of the do-not-call list."""
    found = await services(call.request).do_not_call.of_customer(call.actor, _key(call))
    return RefusalList(items=tuple(RefusalOut.model_validate(view) for view in found))


@operation(
    query=NoQuery,
    response=RefusalOut,
    permission=EDIT,
    summary="Write down that a customer wants no calls",
    description="It holds at once, for the customer and every number of theirs.",
    tag="customers",
    path_parameters=CUSTOMER_ID,
    body=RefusalIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def refuse_calls(call: Call[NoQuery]) -> RefusalOut:
    """Add an entry for a customer."""
    given = call.body(RefusalIn)
    view = await services(call.request).do_not_call.add(
        call.actor,
        level=given.level,
        source=given.source,
        evidence=given.evidence,
        customer_id=_key(call),
    )
    return RefusalOut.model_validate(view)


@operation(
    query=RefusalsQuery,
    response=RefusalPageOut,
    permission=VIEW,
    summary="List the do-not-call list",
    tag="customers",
)
async def list_do_not_call(call: Call[RefusalsQuery]) -> RefusalPageOut:
    """Return a page of the whole list; numbers are masked."""
    asked = call.query
    wanted = RefusalFilter(
        level=RefusalLevel(asked.level) if asked.level else None,
        source=asked.source,
        in_force=asked.in_force,
    )
    page = await services(call.request).do_not_call.page(
        call.actor, wanted, cursor=asked.cursor, limit=asked.limit
    )
    items = []
    for item in page.items:
        fields = dataclasses.asdict(item.entry)
        numbers = tuple(mask(number) for number in fields.pop("numbers"))
        items.append(ListedRefusalOut(**fields, customer_name=item.customer_name, numbers_masked=numbers))
    return RefusalPageOut(items=tuple(items), next_cursor=page.next_cursor)


@operation(
    query=NoQuery,
    response=RefusalOut,
    permission=EDIT,
    summary="Write down that a number wants no calls",
    tag="customers",
    body=NumberRefusalIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def refuse_calls_to_number(call: Call[NoQuery]) -> RefusalOut:
    """Add an entry for whoever has a number."""
    given = call.body(NumberRefusalIn)
    view = await services(call.request).do_not_call.add(
        call.actor, level=given.level, source=given.source, evidence=given.evidence, number=given.number
    )
    return RefusalOut.model_validate(view)


@operation(
    query=NoQuery,
    response=RefusalOut,
    permission=EDIT,
    summary="Lift a refusal because the customer wants it",
    tag="customers",
    path_parameters=ENTRY_ID,
    body=LiftIn,
)
async def lift_refusal(call: Call[NoQuery]) -> RefusalOut:
    """Take an entry back; reason and proof are mandatory."""
    given = call.body(LiftIn)
    view = await services(call.request).do_not_call.lift(
        call.actor, _key(call, "entry_id"), reason=given.reason, evidence=given.evidence
    )
    return RefusalOut.model_validate(view)


@operation(
    query=NoQuery,
    response=ConsentOut,
    permission=EDIT,
    summary="Write a consent down",
    tag="customers",
    path_parameters=CUSTOMER_ID,
    body=ConsentIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def give_consent(call: Call[NoQuery]) -> ConsentOut:
    """Add a consent with its proof."""
    given = call.body(ConsentIn)
    view = await services(call.request).consents.give(call.actor, _key(call), **given.model_dump())
    return ConsentOut.model_validate(view)


@operation(
    query=NoQuery,
    response=ConsentList,
    permission=VIEW,
    summary="List a customer's consents",
    tag="customers",
    path_parameters=CUSTOMER_ID,
)
async def list_consents(call: Call[NoQuery]) -> ConsentList:
    """Return the consents, withdrawn ones too."""
    record = await services(call.request).customers.get(call.actor, _key(call))
    return ConsentList(items=tuple(ConsentOut.model_validate(view) for view in record.consents))


@operation(
    query=NoQuery,
    response=ConsentOut,
    permission=EDIT,
    summary="Withdraw a consent",
    tag="customers",
    path_parameters=CONSENT_ID,
    body=WithdrawIn,
)
async def withdraw_consent(call: Call[NoQuery]) -> ConsentOut:
    """Write down that the customer withdrew."""
    evidence = call.body(WithdrawIn).evidence
    view = await services(call.request).consents.withdraw(
        call.actor, _key(call, "consent_id"), evidence=evidence
    )
    return ConsentOut.model_validate(view)


@operation(
    query=CandidatesQuery,
    response=CandidateList,
    permission=MERGE,
    summary="List customers who may be one person",
    tag="customers",
)
async def list_duplicates(call: Call[CandidatesQuery]) -> CandidateList:
    """Return pairs on one number whose names are alike."""
    page = await services(call.request).merging.candidates(
        call.actor, skip=call.query.skip, limit=call.query.limit
    )
    return CandidateList.model_validate(page)


@operation(
    query=NoQuery,
    response=CustomerRecordOut,
    permission=MERGE,
    summary="Merge another customer into this one",
    tag="customers",
    path_parameters=CUSTOMER_ID,
    body=MergeIn,
    if_match=True,
    idempotent=Idempotency.OPTIONAL,
)
async def merge_customers(call: Call[NoQuery]) -> CustomerRecordOut:
    """Make two customers one."""
    given = call.body(MergeIn)
    record = await services(call.request).merging.merge(
        call.actor,
        _key(call),
        given.gone_id,
        reason=given.reason,
        expected=call.expected,
        gone_expected=given.gone_version,
    )
    return await shown(call, record)


@operation(
    query=NoQuery,
    response=MergeList,
    permission=MERGE,
    summary="List a customer's merges",
    tag="customers",
    path_parameters=CUSTOMER_ID,
)
async def list_merges(call: Call[NoQuery]) -> MergeList:
    """Return the merges that the customer came out of."""
    found = await services(call.request).merging.of_customer(call.actor, _key(call))
    return MergeList(items=tuple(MergeOut.model_validate(view) for view in found))


@operation(
    query=MergesQuery,
    response=MergePageOut,
    permission=MERGE,
    summary="List all merges",
    tag="customers",
)
async def list_all_merges(call: Call[MergesQuery]) -> MergePageOut:
    """Return a page of merges, undone ones too."""
    asked = call.query
    page = await services(call.request).merging.page(call.actor, cursor=asked.cursor, limit=asked.limit)
    items = tuple(
        ListedMergeOut(**dataclasses.asdict(item.merge), kept_name=item.kept_name, gone_name=item.gone_name)
        for item in page.items
    )
    return MergePageOut(items=items, next_cursor=page.next_cursor)


@operation(
    query=NoQuery,
    response=CustomerRecordOut,
    permission=MERGE,
    summary="Undo a merge",
    tag="customers",
    path_parameters=MERGE_ID,
    body=RecordReasonIn,
)
async def undo_merge(call: Call[NoQuery]) -> CustomerRecordOut:
    """Make two customers of one again; the answer is the one who had gone."""
    reason = call.body(RecordReasonIn).reason
    record = await services(call.request).merging.undo(call.actor, _key(call, "merge_id"), reason=reason)
    return await shown(call, record)


ROUTES: tuple[Route, ...] = (
    ("GET", "/customers/{customer_id}/do-not-call", list_refusals),
    ("POST", "/customers/{customer_id}/do-not-call", refuse_calls),
    ("GET", "/customers/{customer_id}/consents", list_consents),
    ("POST", "/customers/{customer_id}/consents", give_consent),
    ("POST", "/customers/{customer_id}/merge", merge_customers),
    ("GET", "/customers/{customer_id}/merges", list_merges),
    ("GET", "/do-not-call", list_do_not_call),
    ("POST", "/do-not-call", refuse_calls_to_number),
    ("POST", "/do-not-call/{entry_id}/lift", lift_refusal),
    ("POST", "/consents/{consent_id}/withdraw", withdraw_consent),
    ("GET", "/duplicates", list_duplicates),
    ("GET", "/merges", list_all_merges),
    ("POST", "/merges/{merge_id}/undo", undo_merge),
)
