"""The words and norms that are shipped (``classification.yaml``), read and checked once."""

from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from crm.domain.classification import (
    Hazard,
    Nature,
    Norm,
    Suggestion,
    Tables,
    Urgency,
    Word,
    classify,
)
from crm.domain.group import GroupRule
from kernel.access import Actor, Permission
from kernel.errors import ConfigurationError, Invalid

PATH = Path(__file__).with_name("classification.yaml")
MAX_CHARACTERS = 20_000


def read_tables(source: str) -> Tables:
    """Return the tables of a file.

    Raises:
        ConfigurationError: it is no YAML, a nature is missing or unknown, or a norm is missing.
    """
    try:
        tree: dict[str, Any] = yaml.safe_load(source)
        order = tuple(Nature(name) for name in tree["order"])
        tables = Tables(
            order=order,
            natures={
                Nature(name): tuple(
                    Word(str(word).casefold(), int(weight)) for weight, words in of.items() for word in words
                )
                for name, of in tree["natures"].items()
            },
            hazards=tuple(
                Hazard(
                    code=str(item["code"]),
                    label=str(item["label"]),
                    words=tuple(item.get("words", ())),
                    all_of=tuple(item.get("all_of", ())),
                    with_any=tuple(item.get("with_any", ())),
                )
                for item in tree["hazards"]
            ),
            urgent=tuple(str(word) for word in tree["urgent"]),
            norms={
                (Nature(name), Urgency(how)): Norm(
                    answer=timedelta(minutes=norm["answer"]), solve=timedelta(hours=norm["solve"])
                )
                for name, of in tree["norms"].items()
                for how, norm in of.items()
            },
            group=GroupRule(
                customers=int(tree["group"]["customers"]), within=timedelta(days=tree["group"]["days"])
            ),
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"classification.yaml: {type(error).__name__}: {str(error)[:200]}"
        ) from error
    if set(order) != set(Nature) or set(tables.natures) != set(Nature):
        raise ConfigurationError("classification.yaml: every nature once, in order and natures")
    if tables.group.customers < 2 or tables.group.within <= timedelta(0):
        raise ConfigurationError("classification.yaml: group: at least two customers, within some days")
    missing = [(n.value, u.value) for n in Nature for u in Urgency if (n, u) not in tables.norms]
    if missing:
        raise ConfigurationError(f"classification.yaml: norms are missing: {missing}")
    return tables


@cache
def shipped() -> Tables:
    """Return the tables that are shipped."""
    return read_tables(PATH.read_text(encoding="utf-8"))


def suggest_class(actor: Actor, text: str) -> Suggestion:
    """Return what a customer's words look like; the person who writes them down decides.

    Raises:
        Forbidden: the role registers no cases.
        Invalid: far too much text.
    """
    actor.need(Permission.CASES_REGISTER)
    if len(text) > MAX_CHARACTERS:
        raise Invalid(f"at most {MAX_CHARACTERS} characters", field="text")
    return classify(text, shipped())


def norm_of(nature: str | None, urgency: str) -> Norm | None:
    """Return in which time a case is answered and solved by the company's standard; none of old cases."""
    return shipped().norms[Nature(nature), Urgency(urgency)] if nature else None
