"""Group complaints 群诉: several customers of one community complain of the same (domain.md §1.3)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crm.domain.complaint import CONFIDENTIAL, ComplaintClass


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRule:
    """From how many customers within which time it is a group; the one who complains now is one of them."""

    customers: int = 3
    within: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A complaint of somebody in the community about a class."""

    case_id: str
    no: str
    customer_id: str
    class_: ComplaintClass
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Customers of one community who complain of one class; ``cases`` are the others', the newest first."""

    class_: ComplaintClass
    customers: int
    cases: tuple[Neighbour, ...] = field(default=())

    @property
    def links(self) -> tuple[tuple[str, str], ...]:
        """Number and id of the others' complaints, each once."""
        return tuple(dict.fromkeys((case.no, case.case_id) for case in self.cases))

    @property
    def nos(self) -> tuple[str, ...]:
        """The numbers of the others' complaints."""
        return tuple(dict.fromkeys(case.no for case in self.cases))


def groups(
    neighbours: Iterable[Neighbour], customer_id: str, rule: GroupRule, now: datetime
) -> Mapping[ComplaintClass, Group]:
    """Return class → the group that a complaint of the customer about it is, or would be, one of.

    A family that complains twice is one customer. Of what is confidential nobody is told by numbers.
    """
    found: dict[ComplaintClass, list[Neighbour]] = {}
    for one in neighbours:
        lately = now - rule.within < one.opened_at <= now
        if lately and one.customer_id != customer_id and one.class_ not in CONFIDENTIAL:
            found.setdefault(one.class_, []).append(one)
    made: dict[ComplaintClass, Group] = {}
    for class_, cases in found.items():
        many = len({case.customer_id for case in cases}) + 1
        if many >= rule.customers:
            newest = sorted(cases, key=lambda case: (case.opened_at, case.case_id), reverse=True)
            made[class_] = Group(class_=class_, customers=many, cases=tuple(newest))
    return made
