"""Changing how questions are worded, without touching anything else that stands in the text.

Comments, order and layout stay: only the lines of prompts are written anew.
"""

import json
import re
from collections.abc import Mapping

import yaml

from callback_campaigns.domain.questionnaire_problems import Problem, QuestionnaireInvalid
from kernel.yaml_tree import Table, Value, YamlRefused, read_yaml

PROMPTS = ("ask", "keys", "ask_agent", "ask_sms")
_ENTRY = re.compile(r"(\s*(?:\w+):)\s+(.*)")


def reworded(text: str, changes: Mapping[tuple[str, str], str]) -> str:
    """Return ``text`` with other prompts.

    Args:
        changes: (item id, one of :data:`PROMPTS`) → words; empty words take an entry away.

    Raises:
        QuestionnaireInvalid: the text is no YAML, there is no such item, or a prompt is written over several
            lines and can only be changed in the text itself.
    """
    lines = text.splitlines()
    items = _items(text)
    edits: list[tuple[int, str, str | None]] = []
    for (name, prompt), words in changes.items():
        item = items.get(name)
        if item is None or prompt not in PROMPTS:
            raise QuestionnaireInvalid([Problem(0, name, "there is no such prompt")])
        entry = f"{prompt}: {_scalar(' '.join(words.split()))}" if words.strip() else None
        found = item.get(prompt)
        if found is None:
            if entry and "ask" in item:
                edits.append((item["ask"].line, "after", entry))
            continue
        if not _alone(lines[found.line - 1], found):
            raise QuestionnaireInvalid(
                [
                    Problem(
                        found.line,
                        name,
                        f"{prompt} shares its lines with others; change it in the text",
                        "several_lines",
                    )
                ]
            )
        edits.append((found.line, "instead", entry))
    # From the end, so that the numbers of the lines before stay true.
    for line, how, entry in sorted(edits, key=lambda edit: (edit[0], edit[1]), reverse=True):
        indent = re.match(r"\s*", lines[line - 1])
        written = [f"{indent[0] if indent else ''}{entry}"] if entry is not None else []
        lines[line if how == "after" else line - 1 : line] = written
    return "\n".join(lines) + "\n"


def _items(text: str) -> dict[str, dict[str, Value]]:
    try:
        tree = read_yaml(text)
    except YamlRefused as error:
        raise QuestionnaireInvalid([Problem(error.line, "", error.message)]) from error
    top = {key.text: value for key, value in tree.entries} if isinstance(tree, Table) else {}
    items = top.get("items")
    if not isinstance(items, Table):
        return {}
    return {
        key.text: {name.text: entry for name, entry in value.entries if isinstance(entry, Value)}
        for key, value in items.entries
        if isinstance(value, Table)
    }


def _alone(line: str, value: Value) -> bool:
    """Tell whether a line holds one entry and all of its value."""
    found = _ENTRY.fullmatch(line)
    if found is None:
        return False
    try:
        return bool(yaml.safe_load(found[2]) == value.text or found[2].strip() == value.text)
    except yaml.YAMLError:
        return False


def _scalar(words: str) -> str:
    try:
        plain = yaml.safe_load(f"k: {words}") == {"k": words}
    except yaml.YAMLError:
        plain = False
    return words if plain else json.dumps(words, ensure_ascii=False)
