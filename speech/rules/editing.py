"""One rule of a text written anew; all else in it, comments too, stays as it is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from kernel.errors import NotFound
from kernel.yaml_tree import Sequence as Items
from kernel.yaml_tree import Table, Value, read_yaml
from speech.rules.model import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What a manager changes of a rule."""

    label: str
    phrases: Sequence[str]
    sounds: Sequence[str]
    unless: Sequence[str]
    confidence: int


def reworded(text: str, rule: Rule, wording: Wording) -> str:
    """Return the text with one rule in other words.

    Raises:
        NotFound: the text has no such rule.
        YamlRefused: the text is no YAML.
    """
    first, last = _lines_of(text, rule.id)
    lines = text.split("\n")
    body = [
        f"  - id: {rule.id}",
        f"    kind: {rule.kind.value}",
        f"    value: {_quoted(rule.value)}",
        f"    label: {_quoted(wording.label)}",
        f"    who: {rule.who.value if rule.who else 'both'}",
        f"    time: {_quoted(rule.time.value)}",
        f"    confidence: {wording.confidence}",
    ]
    for name, words in (("phrases", wording.phrases), ("sounds", wording.sounds), ("unless", wording.unless)):
        if words:
            body.append(f"    {name}: [{', '.join(_quoted(word) for word in words)}]")
    return "\n".join((*lines[:first], *body, *lines[last:]))


def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)


def _lines_of(text: str, rule_id: str) -> tuple[int, int]:
    """Return the first line of a rule, and the one after its last, from 0."""
    top = read_yaml(text)
    rules = next((v for k, v in top.entries if k.text == "rules"), None) if isinstance(top, Table) else None
    items = rules.items if isinstance(rules, Items) else ()
    for place, item in enumerate(items):
        if isinstance(item, Table) and _id_of(item) == rule_id:
            lines = text.split("\n")
            end = items[place + 1].line - 1 if place + 1 < len(items) else len(lines)
            while end > item.line and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
                end -= 1
            return item.line - 1, end
    raise NotFound("no such rule", field="rule_id")


def _id_of(item: Table) -> str:
    return next((v.text for k, v in item.entries if k.text == "id" and isinstance(v, Value)), "")
