"""Decides what an import would write: which customers and projects are new, known, or changed.

Pure: it knows what is here from a :class:`World`. A project is known by its contract number, a customer by a
number and a name that is the same. What is written down here already is kept, unless the import overwrites.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from crm.domain.customer_rules import MAX_PHONES
from crm.domain.duplicates import bare_name
from crm.domain.import_rows import Header, Number, ParsedRow, RowProblem
from crm.domain.project import Stage
from crm.domain.project_rules import check_days
from kernel.errors import HuifangError
from kernel.ids import new_ulid


@dataclass(slots=True, kw_only=True)
class KnownCustomer:
    """A customer who is here, or will be. ``fields`` are those that an import may fill in."""

    customer_id: str
    name: str
    phones: list[str]
    fields: dict[str, Any]
    refused: set[int] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class KnownProject:
    """A project that is here."""

    project_id: str
    customer_id: str
    stage: int
    fields: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class World:
    """What is here, as far as the rows touch it.

    Attributes:
        stores: name → id.
        crews: name → id and status of those that are called so.
    """

    customers: dict[str, KnownCustomer]
    by_phone: dict[str, list[str]]
    projects: dict[str, KnownProject]
    stores: Mapping[str, str]
    crews: Mapping[str, list[tuple[str, str]]]


@dataclass(slots=True, kw_only=True)
class Plan:
    """What would be written, and what stands against it."""

    customers: list[dict[str, Any]] = field(default_factory=list)
    phones: list[dict[str, Any]] = field(default_factory=list)
    projects: list[dict[str, Any]] = field(default_factory=list)
    customer_changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    project_changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: list[tuple[str, int]] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    bad_rows: set[int] = field(default_factory=set)
    unchanged: int = 0
    owners: list[tuple[ParsedRow, str]] = field(default_factory=list)
    """The rows that are good, each with its customer."""


FILLABLE = frozenset(
    {
        "community",
        "building",
        "unit",
        "room",
        "area_m2",
        "package",
        "amount",
        "signed_on",
        "contract_starts_on",
        "contract_ends_on",
        "designer",
        "project_manager",
        "inspector",
        "sales_person",
        "gang",
        "warranty_no",
        "warranty_until",
        "archive_no",
        "concealed_planned",
        "midterm_planned",
        "address",
        "kind",
    }
)
"""Fields of a known project that an import may fill in; its stages and days of work are registered."""


class Planner:
    """Plans row after row; a row that is bad leaves nothing behind."""

    def __init__(
        self,
        world: World,
        header: Header,
        *,
        actor: str,
        now: datetime,
        today: date,
        overwrite: bool = False,
    ) -> None:
        self._world = world
        self._header = header
        self._actor = actor
        self._now = now
        self._today = today
        self._overwrite = overwrite
        self._contracts: set[str] = set()
        self.plan = Plan()

    def add(self, row: ParsedRow) -> None:
        """Plan one more row."""
        before = len(self.plan.problems)
        store_id = self._store(row)
        crew_id = self._crew(row)
        project = self._world.projects.get(row.contract_no) if row.contract_no else None
        if row.contract_no and row.contract_no in self._contracts:
            self._wrong(row, "contract_no", "contract_twice", row.contract_no)
        customer = self._owner(row, project)
        fresh = self._fresh_numbers(row, customer)
        if project is not None:
            self._check_days(row, project)
        if any(not problem.is_warning for problem in self.plan.problems[before:]):
            self.plan.bad_rows.add(row.row)
            return
        if row.contract_no:
            self._contracts.add(row.contract_no)
        changed = self._write_customer(row, customer, fresh, store_id)
        owner = customer or self._world.customers[self._world.by_phone[row.phones[0].e164][-1]]
        self.plan.owners.append((row, owner.customer_id))
        if row.contract_no is not None:
            changed |= self._write_project(row, project, owner.customer_id, crew_id, store_id)
        if not changed:
            self.plan.unchanged += 1

    def _wrong(self, row: ParsedRow, column: str, code: str, value: object = "") -> None:
        title = self._header.title(column)
        self.plan.problems.append(RowProblem(row=row.row, column=title, code=code, value=str(value)[:40]))

    def _store(self, row: ParsedRow) -> str | None:
        if row.store is None:
            return None
        found = self._world.stores.get(row.store)
        if found is None:
            self._wrong(row, "store", "unknown_store", row.store)
        return found

    def _crew(self, row: ParsedRow) -> str | None:
        if row.crew is None:
            return None
        found = self._world.crews.get(row.crew, [])
        if not found:
            self._wrong(row, "crew", "unknown_crew", row.crew)
            return None
        working = [crew_id for crew_id, status in found if status == "active"]
        known = row.contract_no in self._world.projects
        running = row.stage is None or 0 < row.stage < Stage.DELIVERED
        if not working and running and not known:
            self._wrong(row, "crew", "crew_not_active", row.crew)
        return working[0] if working else found[0][0]

    def _owner(self, row: ParsedRow, project: KnownProject | None) -> KnownCustomer | None:
        """Return the customer whom the row means, ``None`` for a new one."""
        wanted = bare_name(row.name)
        if project is not None:
            owner = self._world.customers[project.customer_id]
            if bare_name(owner.name) != wanted:
                self._wrong(row, "contract_no", "contract_of_other", row.contract_no)
            return owner
        found = {
            customer_id
            for number in row.phones
            for customer_id in self._world.by_phone.get(number.e164, ())
            if bare_name(self._world.customers[customer_id].name) == wanted
        }
        if len(found) > 1:
            self._wrong(row, "name", "ambiguous_customer", row.name)
        return self._world.customers[min(found)] if found else None

    def _fresh_numbers(self, row: ParsedRow, customer: KnownCustomer | None) -> list[Number]:
        fresh = [n for n in row.phones if customer is None or n.e164 not in customer.phones]
        if customer is not None and fresh and len(customer.phones) + len(fresh) > MAX_PHONES:
            self._wrong(row, "phone", "too_many_phones")
        return fresh

    def _check_days(self, row: ParsedRow, project: KnownProject) -> None:
        """What would be filled in must fit the days that are here."""
        filled = {name: value for name, value in row.project.items() if name in FILLABLE}
        kept = {name: value for name, value in project.fields.items() if value is not None}
        try:
            check_days(kept | filled if self._overwrite else filled | kept, today=self._today)
        except HuifangError as error:
            self._wrong(row, error.field or "signed_on", "days_out_of_order", "")

    def _write_customer(
        self, row: ParsedRow, customer: KnownCustomer | None, fresh: list[Number], store_id: str | None
    ) -> bool:
        values = dict(row.customer)
        if store_id is not None:
            values["store_id"] = store_id
        if "level" in values:
            values.setdefault("level_reason", "导入")
        if customer is None:
            customer = self._new_customer(row, values)
            changed = True
        else:
            changes = self._changes(row, customer.fields, values, {"store_id": "store"})
            if "level_reason" in changes and "level" not in changes and not self._overwrite:
                changes.pop("level_reason")
            if changes:
                self.plan.customer_changes.setdefault(customer.customer_id, {}).update(changes)
                customer.fields.update(changes)
            changed = bool(changes or fresh)
        for number in fresh:
            self.plan.phones.append(
                {
                    "customer_id": customer.customer_id,
                    "e164": number.e164,
                    "position": len(customer.phones),
                    "kind": number.kind,
                    "ref": new_ulid(),
                }
            )
            customer.phones.append(number.e164)
            self._world.by_phone.setdefault(number.e164, []).append(customer.customer_id)
        if row.do_not_call is not None and row.do_not_call not in customer.refused:
            customer.refused.add(row.do_not_call)
            self.plan.refusals.append((customer.customer_id, row.do_not_call))
            changed = True
        return changed

    def _new_customer(self, row: ParsedRow, values: dict[str, Any]) -> KnownCustomer:
        customer = KnownCustomer(customer_id=new_ulid(), name=row.name, phones=[], fields=dict(values))
        self._world.customers[customer.customer_id] = customer
        levelled = "level" in values
        self.plan.customers.append(
            {
                "id": customer.customer_id,
                "name": row.name,
                "salutation": values.get("salutation"),
                "level": values.get("level", "B"),
                "level_reason": values.get("level_reason"),
                "level_set_by": self._actor if levelled else None,
                "level_set_at": self._now if levelled else None,
                "store_id": values.get("store_id"),
                "elder_mode": values.get("elder_mode", False),
                "do_not_call": False,
                "created_at": self._now,
                "created_by": self._actor,
                "updated_at": self._now,
                "updated_by": self._actor,
            }
        )
        return customer

    def _write_project(
        self,
        row: ParsedRow,
        project: KnownProject | None,
        customer_id: str,
        crew_id: str | None,
        store_id: str | None,
    ) -> bool:
        if project is None:
            stage = row.stage if row.stage is not None else Stage.REGISTERED
            self.plan.projects.append(
                {
                    "id": new_ulid(),
                    "contract_no": row.contract_no,
                    "customer_id": customer_id,
                    "stage": int(stage),
                    "cancelled_at": self._now if stage < 0 else None,
                    "crew_id": crew_id,
                    "store_id": store_id,
                    "created_at": self._now,
                    "created_by": self._actor,
                    "updated_at": self._now,
                    "updated_by": self._actor,
                    **row.project,
                }
            )
            return True
        if row.stage is not None and row.stage > project.stage:
            self._wrong(row, "stage", "stage_kept", int(row.stage))
        values = {name: value for name, value in row.project.items() if name in FILLABLE}
        if "address" not in self._header.places:
            values.pop("address", None)
        changes = self._changes(row, project.fields, values, {})
        if changes:
            self.plan.project_changes.setdefault(project.project_id, {}).update(changes)
            project.fields.update(changes)
        return bool(changes)

    def _changes(
        self,
        row: ParsedRow,
        here: Mapping[str, Any],
        values: Mapping[str, Any],
        titles: Mapping[str, str],
    ) -> dict[str, Any]:
        """Return what to write over what is here: what is missing, or all that differs."""
        changes: dict[str, Any] = {}
        for name, value in values.items():
            known = here.get(name)
            if known == value:
                continue
            # Money that somebody wrote down here may have been paid already.
            if known in (None, "", False) or (self._overwrite and name != "amount"):
                changes[name] = value
            elif name != "level_reason":
                self._wrong(row, titles.get(name, name), "kept", _shown(value))
        return changes


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
