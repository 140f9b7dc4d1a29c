"""What a search asks an index for: an expression of tokens, written as FTS5 or as a tsquery.

Tokens never hold ASCII punctuation (``search_text`` encodes it), so that nothing a person types is read as an
operator or ends a quotation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from crm.domain.search_text import HEAD, PHONE, TAIL, Term, Token


@dataclass(frozen=True, slots=True)
class Both:
    """Everything in it must hold."""

    parts: tuple["Match", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One thing in it must hold."""

    parts: tuple["Match", ...]


Match = Token | Both | Either
Dialect = Literal["sqlite", "postgresql"]


def both(parts: Iterable[Match]) -> Match:
    """Join what must all hold."""
    kept = tuple(parts)
    return kept[0] if len(kept) == 1 else Both(kept)


def either(parts: Iterable[Match]) -> Match:
    """Join what may stand for each other."""
    kept = tuple(parts)
    return kept[0] if len(kept) == 1 else Either(kept)


def of_term(term: Term, *, in_head: bool) -> Match:
    """Return what a document with this term has: anywhere, or in its title, numbers and names."""
    tokens = term.tokens()
    ways = [both(Token(HEAD + token.text, token.prefix) for token in tokens)]
    if not in_head:
        ways.append(both(tokens))
    if term.tail:
        ways.append(phone_tail(term.text))
    return either(ways)


def has_prefix(match: Match) -> bool:
    """Tell whether any token of an expression stands for all that begin so."""
    return match.prefix if isinstance(match, Token) else any(map(has_prefix, match.parts))


def phone_tail(digits: str) -> Token:
    """Return the token of telephone numbers that may end so."""
    return Token(PHONE + digits[-TAIL:])


def written(match: Match, dialect: Dialect) -> str:
    """Write an expression in the database's language."""
    match match:
        case Token(text, prefix):
            if dialect == "sqlite":
                return f'"{text}"*' if prefix else f'"{text}"'
            return f"'{text}':*" if prefix else f"'{text}'"
        case Both(parts):
            sign = " AND " if dialect == "sqlite" else " & "
        case Either(parts):
            sign = " OR " if dialect == "sqlite" else " | "
    return "(" + sign.join(written(part, dialect) for part in parts) + ")"
