"""``GET /api/v1/customers``: the list, and the look-up of a whole telephone number."""

from kernel.phone import Phone
from web.api.operation import Call as ApiCall
from web.api.operation import operation
from web.api.v1.people import filter_of, services
from web.api.v1.people_schemas import CustomerRow, PeopleQuery
from web.api.v1.schemas import Customer, Out
from web.deps import DEPS
from web.permissions import Permission


class CustomerList(Out):
    """The customers on a number as whole cards, or a page of rows; a shared number gives several cards."""

    items: tuple[Customer, ...] | tuple[CustomerRow, ...]
    next_cursor: str | None = None


@operation(
    query=PeopleQuery,
    response=CustomerList,
    permission=Permission.CUSTOMERS_VIEW,
    summary="List customers, or find them by telephone number",
    description="With `phone`, which must be a whole number, the answer has cards; nobody on it gives an "
    "empty list. Without, it is a page of rows, newest first.",
    tag="customers",
)
async def find_customers(call: ApiCall[PeopleQuery]) -> CustomerList:
    """Return the customers on a number, or a page of all."""
    deps, asked = call.request.app[DEPS], call.query
    if asked.phone is not None:
        phone = Phone.parse(asked.phone, default_area=deps.settings.default_area)
        cards = await deps.customers.find_by_phone(phone)
        return CustomerList(items=tuple(Customer.model_validate(card) for card in cards))
    people = services(call.request).customers
    page = await people.page(call.actor, filter_of(asked), cursor=asked.cursor, limit=asked.limit)
    rows = tuple(CustomerRow.model_validate(item) for item in page.items)
    return CustomerList(items=rows, next_cursor=page.next_cursor)
