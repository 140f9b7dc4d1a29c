"""``/api/v1/customers`` and what hangs on a customer: freezes, refusals, consents, merges."""

from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web

from crm.domain.customer import Level
from crm.domain.customer_rules import PhoneEntry
from crm.domain.freeze import FollowUp
from crm.people import CustomerFilter, NewCustomer
from crm.people_services import PeopleServices
from crm.people_views import CustomerRecord
from web.api.operation import Call, operation
from web.api.v1.people_schemas import (
    AnswerIn,
    CustomerIn,
    CustomerPatch,
    CustomerRecordOut,
    FreezeIn,
    FreezeList,
    FreezeOut,
    FreezesQuery,
    LevelIn,
    PhoneIn,
    PhoneOut,
    PhonesIn,
    ThawIn,
)
from web.api.v1.schemas import NoQuery
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.numbers import whole_numbers
from web.permissions import Permission

CUSTOMER_ID = (("customer_id", "Id of the customer; one that was merged away leads to the one kept"),)
FREEZE_ID = (("freeze_id", "Id of the freeze"),)
VIEW, EDIT, MERGE = Permission.CUSTOMERS_VIEW, Permission.CUSTOMERS_EDIT, Permission.CUSTOMERS_MERGE

Route = tuple[str, str, Callable[[web.Request], Awaitable[web.Response]]]


def services(request: web.Request) -> PeopleServices:
    """Return the services of customers and projects."""
    return request.app[CRM].people


def _key(call: Call[NoQuery], name: str = "customer_id") -> str:
    return call.request.match_info[name]


def filter_of(asked: object) -> CustomerFilter:
    """Return the filter that a query names."""
    level = getattr(asked, "level", None)
    return CustomerFilter(
        name=getattr(asked, "name", None),
        level=Level(level) if level else None,
        store_id=getattr(asked, "store_id", None),
        frozen=getattr(asked, "frozen", None),
        do_not_call=getattr(asked, "do_not_call", None),
        problem=getattr(asked, "problem", None),
        elder_mode=getattr(asked, "elder_mode", None),
    )


async def shown(call: Call[NoQuery], record: CustomerRecord) -> CustomerRecordOut:
    """Return the record with the numbers that the caller may see."""
    seen = await whole_numbers(call.request, record.customer_id, [phone.number for phone in record.phones])
    phones = tuple(
        PhoneOut(
            phone_id=phone.phone_id,
            number=phone.number if phone.number in seen else None,
            masked=phone.masked,
            kind=phone.kind,
            label=phone.label,
            preferred=phone.preferred,
            verified_at=phone.verified_at,
            bad_since=phone.bad_since,
            bad_reason=phone.bad_reason,
        )
        for phone in record.phones
    )
    fields = {name: getattr(record, name) for name in CustomerRecordOut.model_fields}
    return CustomerRecordOut.model_validate(fields | {"phones": phones})


def entries_of(phones: Iterable[PhoneIn]) -> list[PhoneEntry]:
    """Return numbers as the service wants them."""
    return [
        PhoneEntry(
            number=phone.number,
            phone_id=phone.phone_id,
            label=phone.label,
            preferred=phone.preferred,
            verified=phone.verified,
            bad=phone.bad,
        )
        for phone in phones
    ]


@operation(
    query=NoQuery,
    response=CustomerRecordOut,
    permission=EDIT,
    summary="Write a customer down",
    tag="customers",
    body=CustomerIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def create_customer(call: Call[NoQuery]) -> CustomerRecordOut:
    """Add a customer."""
    given = call.body(CustomerIn)
    fields = given.model_dump(exclude={"phones"})
    new = NewCustomer(phones=entries_of(given.phones), **fields)
    return await shown(call, await services(call.request).customers.create(call.actor, new))


@operation(
    query=NoQuery,
    response=CustomerRecordOut,
    permission=VIEW,
    summary="Read a customer",
    tag="customers",
    path_parameters=CUSTOMER_ID,
)
async def get_customer(call: Call[NoQuery]) -> CustomerRecordOut:
    """Return a customer."""
    return await shown(call, await services(call.request).customers.get(call.actor, _key(call)))


@operation(
    query=NoQuery,
    response=CustomerRecordOut,
    permission=EDIT,
    summary="Change a customer",
    tag="customers",
    path_parameters=CUSTOMER_ID,
    body=CustomerPatch,
    if_match=True,
)
async def change_customer(call: Call[NoQuery]) -> CustomerRecordOut:
    """Change what is given."""
    changes = call.body(CustomerPatch).model_dump(exclude_unset=True)
    people = services(call.request).customers
    return await shown(call, await people.change(call.actor, _key(call), changes, expected=call.expected))


@operation(
    query=NoQuery,
    response=CustomerRecordOut,
    permission=EDIT,
    summary="Set a customer's numbers",
    tag="customers",
    path_parameters=CUSTOMER_ID,
    body=PhonesIn,
    if_match=True,
)
async def set_customer_phones(call: Call[NoQuery]) -> CustomerRecordOut:
    """Put these numbers in the place of the customer's."""
    entries = entries_of(call.body(PhonesIn).phones)
    people = services(call.request).customers
    record = await people.set_phones(call.actor, _key(call), entries, expected=call.expected)
    return await shown(call, record)


@operation(
    query=NoQuery,
    response=CustomerRecordOut,
    permission=MERGE,
    summary="Set a customer's level",
    tag="customers",
    path_parameters=CUSTOMER_ID,
    body=LevelIn,
    if_match=True,
)
async def set_customer_level(call: Call[NoQuery]) -> CustomerRecordOut:
    """Set the level with its reason."""
    given = call.body(LevelIn)
    people = services(call.request).customers
    record = await people.set_level(call.actor, _key(call), given.level, given.reason, expected=call.expected)
    return await shown(call, record)


@operation(
    query=NoQuery,
    response=FreezeOut,
    permission=EDIT,
    summary="Freeze a customer's callbacks",
    tag="customers",
    path_parameters=CUSTOMER_ID,
    body=FreezeIn,
    if_match=True,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def freeze_customer(call: Call[NoQuery]) -> FreezeOut:
    """Hold callbacks back."""
    given = call.body(FreezeIn)
    view = await services(call.request).freezes.freeze(
        call.actor,
        _key(call),
        scope=given.scope,
        reason=given.reason,
        planned_thaw=given.planned_thaw,
        expected=call.expected,
    )
    return FreezeOut.model_validate(view)


def _answer(given: AnswerIn) -> FollowUp:
    return FollowUp(needed=given.callback_needed, kind=given.callback_kind, on=given.callback_on)


@operation(
    query=NoQuery,
    response=FreezeOut,
    permission=MERGE,
    summary="Thaw a customer",
    tag="customers",
    path_parameters=CUSTOMER_ID,
    body=ThawIn,
    if_match=True,
)
async def thaw_customer(call: Call[NoQuery]) -> FreezeOut:
    """End the freeze, with the answer whether a callback is needed."""
    given = call.body(ThawIn)
    view = await services(call.request).freezes.thaw(
        call.actor, _key(call), reason=given.reason, answer=_answer(given), expected=call.expected
    )
    return FreezeOut.model_validate(view)


@operation(
    query=FreezesQuery,
    response=FreezeList,
    permission=VIEW,
    summary="List freezes",
    tag="customers",
)
async def list_freezes(call: Call[FreezesQuery]) -> FreezeList:
    """Return freezes in force, or those that wait for an answer."""
    asked = call.query
    page = await services(call.request).freezes.page(
        call.actor, unanswered=asked.unanswered, cursor=asked.cursor, limit=asked.limit
    )
    return FreezeList.model_validate(page)


@operation(
    query=NoQuery,
    response=FreezeOut,
    permission=EDIT,
    summary="Answer the question of a thaw",
    tag="customers",
    path_parameters=FREEZE_ID,
    body=AnswerIn,
)
async def answer_thaw(call: Call[NoQuery]) -> FreezeOut:
    """Say whether a callback is needed after a freeze that ended by itself."""
    answer = _answer(call.body(AnswerIn))
    view = await services(call.request).freezes.answer(call.actor, _key(call, "freeze_id"), answer)
    return FreezeOut.model_validate(view)


ROUTES: tuple[Route, ...] = (
    ("POST", "/customers", create_customer),
    ("GET", "/customers/{customer_id}", get_customer),
    ("PATCH", "/customers/{customer_id}", change_customer),
    ("PUT", "/customers/{customer_id}/phones", set_customer_phones),
    ("PUT", "/customers/{customer_id}/level", set_customer_level),
    ("POST", "/customers/{customer_id}/freeze", freeze_customer),
    ("POST", "/customers/{customer_id}/thaw", thaw_customer),
    ("GET", "/freezes", list_freezes),
    ("POST", "/freezes/{freeze_id}/answer", answer_thaw),
)
