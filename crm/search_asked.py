"""What somebody looks for, and what of it they may find."""

from collections.abc import Collection
from dataclasses import dataclass

from crm.confidential import sees_all_confidential
from crm.domain.search_text import MAX_QUERY, MAX_TERMS, Term, normalise, terms_of
from crm.search import Kind, department_audience, user_audience
from kernel.access import Actor, Permission, Role
from kernel.errors import Invalid
from kernel.phone import Phone, PhoneKind

CASES = frozenset({Kind.COMPLAINT, Kind.REPAIR, Kind.TICKET})
NEEDED: dict[Kind, Permission] = {
    Kind.CUSTOMER: Permission.CUSTOMERS_VIEW,
    Kind.PROJECT: Permission.PROJECTS_VIEW,
    Kind.COMPLAINT: Permission.CASES_VIEW,
    Kind.REPAIR: Permission.CASES_VIEW,
    Kind.TICKET: Permission.CASES_VIEW,
    Kind.ARTICLE: Permission.KNOWLEDGE_VIEW,
    Kind.CALL_NOTE: Permission.CALLS_VIEW,
}


class SearchRefused(Invalid):
    """The words cannot be searched for; ``reason``: empty, long, many, short."""

    code = "search_refused"


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody looks for.

    Attributes:
        whole: the query normalised.
        phone: digits of the telephone number that the query is, if it is a whole one.
    """

    whole: str
    terms: tuple[Term, ...]
    phone: str | None = None


def parse(raw: str, *, tails: bool) -> Query:
    """Read a query.

    Args:
        tails: the last digits of a telephone number may be looked for; otherwise only whole numbers.

    Raises:
        SearchRefused: empty, too long, too many words, or a word of a single character.
    """
    if len(raw) > MAX_QUERY:
        raise SearchRefused(f"at most {MAX_QUERY} characters", field="q", reason="long")
    phone = Phone.parse_caller(raw.strip())
    if phone is not None and phone.kind is not PhoneKind.SHORT:
        digits = phone.national
        return Query(digits, (Term(digits, tail=tails),), digits)
    whole = normalise(raw)
    terms = tuple(term if tails else Term(term.text) for term in terms_of(whole))
    if not terms:
        raise SearchRefused("write what to look for", field="q", reason="empty")
    if len(terms) > MAX_TERMS:
        raise SearchRefused(f"at most {MAX_TERMS} words", field="q", reason="many")
    if any(len(term.text) < 2 for term in terms):
        raise SearchRefused("each word needs at least two characters", field="q", reason="short")
    return Query(whole, terms)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a person may find: every document of some kinds, of others only their audience's.

    Attributes:
        confidential: also what is confidential; otherwise of that only what names the person (``me``).
    """

    open: frozenset[Kind]
    audience_only: frozenset[Kind]
    audience: tuple[str, ...]
    confidential: bool
    me: str

    @property
    def nothing(self) -> bool:
        """Whether there is nothing at all to find."""
        return not self.open and not self.audience_only


def scope_of(actor: Actor, kinds: Collection[Kind] | None = None) -> Scope:
    """Return what ``actor`` may find among ``kinds``.

    Who does not see every department's cases finds those of the own department, and no projects; a captain
    of those only the repairs.
    """
    wanted = {kind for kind, need in NEEDED.items() if actor.can(need) and (kinds is None or kind in kinds)}
    confidential = sees_all_confidential(actor)
    me = user_audience(actor.user_id)
    if actor.can(Permission.CASES_VIEW_ALL):
        return Scope(frozenset(wanted), frozenset(), (), confidential, me)
    own = {Kind.REPAIR} if actor.role is Role.CAPTAIN else CASES
    audience = [me]
    if actor.department:
        audience.insert(0, department_audience(actor.department))
    return Scope(
        frozenset(wanted - CASES - {Kind.PROJECT}),
        frozenset(wanted & own),
        tuple(audience),
        confidential,
        me,
    )
