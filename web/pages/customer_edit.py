"""Forms of a customer: written down, edited, and every smaller step on their page.

A form that is refused comes back as it was typed, with the field marked; so does one whose customer was
changed by somebody else meanwhile.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from crm.domain.freeze import CallbackKind, FollowUp
from crm.people import NewCustomer
from crm.people_services import PeopleServices
from crm.people_views import CustomerRecord
from kernel.access import Actor
from kernel.errors import HuifangError, Invalid, StaleVersion
from web import labels
from web.i18n import gettext
from web.identity import current_actor
from web.numbers import whole_numbers
from web.pages import people_forms as forms
from web.pages import people_words as words
from web.pages.customer import customer_page, services, word_lists
from web.pages.people_forms import Form, PhoneRow, Refused
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.pop import readable


def setup(app: web.Application) -> None:
    """Add the routes; this comes before the customer's own, which would take «new» for an id."""
    app.router.add_get("/customers/new", new)
    app.router.add_post("/customers/new", create)
    app.router.add_get("/customers/{customer_id}/edit", edit)
    app.router.add_post("/customers/{customer_id}/edit", save)
    for name, (permission, step) in STEPS.items():
        app.router.add_post(f"/customers/{{customer_id}}/{name}", _handler(name, permission, step))


@requires(Permission.CUSTOMERS_EDIT)
async def new(request: web.Request) -> web.StreamResponse:
    """Show an empty form."""
    return await _form(request, None, {"number0": request.query.get("phone", "")[:40]})


@requires(Permission.CUSTOMERS_EDIT)
async def create(request: web.Request) -> web.StreamResponse:
    """Write a customer down."""
    form = await forms.read_form(request)
    try:
        new_one = NewCustomer(phones=forms.phone_entries(form), **forms.customer_fields(form))
        record = await services(request).customers.create(current_actor(request), new_one)
    except forms.EXPECTED as error:
        return await _form(request, None, form, Refused.of("customer", error))
    return see_other(f"/customers/{record.customer_id}")


@requires(Permission.CUSTOMERS_EDIT)
async def edit(request: web.Request) -> web.StreamResponse:
    """Show the customer in a form."""
    record = await _record(request)
    return await _form(request, record, await _as_form(request, record))


@requires(Permission.CUSTOMERS_EDIT)
async def save(request: web.Request) -> web.StreamResponse:
    """Save fields and numbers at once."""
    form = await forms.read_form(request)
    record = await _record(request)
    try:
        await services(request).customers.save(
            current_actor(request),
            record.customer_id,
            forms.customer_fields(form),
            forms.phone_entries(form),
            expected=forms.version_of(form),
        )
    except forms.EXPECTED as error:
        typed = dict(form)
        if isinstance(error, StaleVersion):
            # What was typed stays; sent again it goes over what somebody else wrote, knowingly.
            typed["version"] = str(record.version)
        return await _form(request, record, typed, Refused.of("customer", error))
    return see_other(f"/customers/{record.customer_id}")


async def _record(request: web.Request) -> CustomerRecord:
    return await services(request).customers.get(current_actor(request), request.match_info["customer_id"])


async def _as_form(request: web.Request, record: CustomerRecord) -> Form:
    whole = await whole_numbers(request, record.customer_id, [phone.number for phone in record.phones])
    form = {
        "version": str(record.version),
        "name": record.name,
        "salutation": record.salutation or "",
        "store_id": record.store_id or "",
        "preferred_channel": record.preferred_channel,
        "preferred_from": record.preferred_from.strftime("%H:%M") if record.preferred_from else "",
        "preferred_until": record.preferred_until.strftime("%H:%M") if record.preferred_until else "",
        "problem_reason": record.problem_reason or "",
    }
    if record.elder_mode:
        form["elder_mode"] = "1"
    for index, phone in enumerate(record.phones):
        shown = readable(phone.number) if phone.number in whole else phone.masked
        form |= {
            f"phone_id{index}": phone.phone_id,
            f"number{index}": shown,
            f"masked{index}": shown,
            f"label{index}": phone.label or "",
            f"bad{index}": phone.bad_reason or "",
        }
        if phone.verified_at is not None:
            form[f"verified{index}"] = "1"
        if phone.preferred:
            form["preferred"] = str(index)
    return form


async def _form(
    request: web.Request, record: CustomerRecord | None, form: Form, refused: Refused | None = None
) -> web.Response:
    rows = forms.phone_rows(form)
    used = {row.index for row in rows}
    rows += [PhoneRow(n, "", "", "", False, "") for n in range(forms.ROWS) if n not in used]
    stores = await services(request).organisation.stores(current_actor(request))
    names = {store.store_id: store.name for store in stores}
    shown = _shown(record, names) if record else {}
    context: dict[str, Any] = {
        "record": record,
        "form": form,
        "rows": sorted(rows, key=lambda row: row.index)[: max(forms.ROWS, len(used))],
        "masked": {row.index: form.get(f"masked{row.index}", "") for row in rows},
        "stores": {store.store_id: store.name for store in stores if store.active},
        "refused": refused,
        "shown": shown,
        "changed": forms.changed_since(form, shown) if refused and refused.is_stale else (),
        **word_lists(),
    }
    status = 412 if refused and refused.is_stale else 400 if refused else 200
    return render(request, "customer_form.html", context, status=status)


def _shown(record: CustomerRecord, stores: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return what the form goes along with, so that it can tell what somebody else changed."""
    first, last = record.preferred_from, record.preferred_until
    numbers = []
    for phone in record.phones:
        bad = labels.word(words.BAD_NUMBERS, phone.bad_reason)
        marks = [
            gettext("首选") if phone.preferred else "",
            gettext("已核实") if phone.verified_at else "",
            bad,
        ]
        numbers.append(" ".join(part for part in (phone.masked, phone.label or "", *marks) if part))
    return {
        "name": (gettext("姓名"), record.name),
        "salutation": (gettext("称谓"), labels.word(labels.SALUTATIONS, record.salutation)),
        "store": (gettext("店面"), stores.get(record.store_id or "", "")),
        "channel": (gettext("联系方式"), labels.word(words.CHANNELS, record.preferred_channel)),
        "hours": (gettext("方便时间"), f"{first:%H:%M}–{last:%H:%M}" if first and last else ""),
        "problem": (gettext("重点关注原因"), record.problem_reason or ""),
        "elder": (gettext("长者"), gettext("是") if record.elder_mode else gettext("否")),
        "numbers": (gettext("号码"), gettext("；").join(numbers)),
    }


# Smaller steps on the customer's page

Step = Callable[[PeopleServices, Actor, str, Form], Awaitable[Any]]


async def _level(people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    version = forms.version_of(form)
    level, reason = forms.text(form, "level"), forms.text(form, "level_reason")
    return await people.customers.set_level(actor, key, level, reason, expected=version)


async def _freeze(people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    return await people.freezes.freeze(
        actor,
        key,
        scope=forms.text(form, "scope"),
        reason=forms.text(form, "reason"),
        planned_thaw=forms.day(form, "planned_thaw"),
        expected=forms.version_of(form),
    )


def read_answer(form: Form) -> FollowUp:
    """Return what was said about a callback after a thaw. Raises Invalid."""
    needed = forms.text(form, "callback_needed")
    if needed not in {"yes", "no"}:
        raise Invalid("say whether a callback is needed", field="callback_kind")
    if needed == "no":
        return FollowUp(needed=False)
    kind = forms.text(form, "callback_kind")
    if kind not in set(CallbackKind):
        raise Invalid("say which callback is needed", field="callback_kind")
    return FollowUp(needed=True, kind=CallbackKind(kind), on=forms.day(form, "callback_on"))


async def _thaw(people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    return await people.freezes.thaw(
        actor,
        key,
        reason=forms.text(form, "reason"),
        answer=read_answer(form),
        expected=forms.version_of(form),
    )


async def _thaw_answer(people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    return await people.freezes.answer(actor, forms.text(form, "freeze_id"), read_answer(form))


async def _refuse(people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    return await people.do_not_call.add(
        actor,
        level=forms.number(form, "level"),
        source=forms.text(form, "source"),
        evidence=forms.text(form, "evidence"),
        customer_id=key,
    )


async def _lift(people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    return await people.do_not_call.lift(
        actor,
        forms.text(form, "entry_id"),
        reason=forms.text(form, "reason"),
        evidence=forms.text(form, "evidence"),
    )


async def _consent(people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    return await people.consents.give(
        actor,
        key,
        purpose=forms.text(form, "purpose"),
        basis=forms.text(form, "basis"),
        evidence=forms.text(form, "evidence"),
        text_version=forms.text(form, "text_version"),
    )


async def _withdraw(people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    consent_id = forms.text(form, "consent_id")
    return await people.consents.withdraw(actor, consent_id, evidence=forms.text(form, "evidence"))


async def _merge(people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    gone = forms.text(form, "gone_id").rsplit("/", 1)[-1]
    try:
        return await people.merging.merge(
            actor, key, gone, reason=forms.text(form, "reason"), expected=forms.version_of(form)
        )
    except HuifangError as error:
        if error.code == "not_found":
            raise Invalid(error.message, field="gone_id") from error
        raise


async def _undo(people: PeopleServices, actor: Actor, key: str, form: Form) -> Any:
    return await people.merging.undo(actor, forms.text(form, "merge_id"), reason=forms.text(form, "reason"))


EDIT, MANAGE = Permission.CUSTOMERS_EDIT, Permission.CUSTOMERS_MERGE
STEPS: dict[str, tuple[Permission, Step]] = {
    "level": (MANAGE, _level),
    "freeze": (EDIT, _freeze),
    "thaw": (MANAGE, _thaw),
    "thaw-answer": (EDIT, _thaw_answer),
    "do-not-call": (EDIT, _refuse),
    "lift": (EDIT, _lift),
    "consent": (EDIT, _consent),
    "withdraw": (EDIT, _withdraw),
    "merge": (MANAGE, _merge),
    "undo-merge": (MANAGE, _undo),
}


def _handler(
    name: str, permission: Permission, step: Step
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        form = await forms.read_form(request)
        record = await _record(request)
        try:
            await step(services(request), current_actor(request), record.customer_id, form)
        except forms.EXPECTED as error:
            refused = Refused.of(name, error)
            record = await _record(request)
            return await customer_page(request, record, refused=refused, typed=form, status=400)
        return see_other(f"/customers/{record.customer_id}")

    return requires(permission)(handle)
