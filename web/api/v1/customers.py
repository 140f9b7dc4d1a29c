"""``/api/v1/customers``."""

from kernel.phone import Phone
from web.api.operation import Call as ApiCall
from web.api.operation import operation
from web.api.v1.schemas import Customer, CustomerList, CustomersQuery
from web.deps import DEPS
from web.permissions import Permission


@operation(
    query=CustomersQuery,
    response=CustomerList,
    permission=Permission.CUSTOMERS_VIEW,
    summary="Find customers by telephone number",
    description="The whole number is needed; nobody on it gives an empty list.",
    tag="customers",
)
async def find_customers(call: ApiCall[CustomersQuery]) -> CustomerList:
    """Return the customers on a number."""
    deps = call.request.app[DEPS]
    phone = Phone.parse(call.query.phone, default_area=deps.settings.default_area)
    cards = await deps.customers.find_by_phone(phone)
    return CustomerList(items=tuple(Customer.model_validate(card) for card in cards))
