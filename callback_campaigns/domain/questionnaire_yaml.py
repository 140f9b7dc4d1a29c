"""From YAML to a :class:`~callback_campaigns.domain.questionnaire.Questionnaire`, every mistake named.

Whether the whole makes sense is ``questionnaire_check``'s question.
"""

import re
from collections.abc import Collection
from dataclasses import replace

from callback_campaigns.domain.questionnaire import (
    DEPARTMENTS,
    RATED,
    Do,
    Item,
    ItemKind,
    Option,
    Questionnaire,
    Rule,
)
from callback_campaigns.domain.questionnaire_check import check
from callback_campaigns.domain.questionnaire_conditions import (
    ITEM_ID,
    BadCondition,
    Condition,
    parse_condition,
)
from callback_campaigns.domain.questionnaire_problems import Problem, QuestionnaireInvalid
from callback_campaigns.domain.questionnaire_scales import SCALES, SPOKEN_KEYS, as_marks
from callback_campaigns.domain.terms import Channel
from kernel.yaml_fields import Fields
from kernel.yaml_tree import Sequence, Table, Tree, YamlRefused, read_yaml

MAX_TEXT = 32 * 1024
MAX_ITEMS = 40
MAX_OPTIONS = 20
MAX_RULES = 6
MAX_PROMPT = 300
MAX_LABEL = 40

_VALUE = re.compile(r"[a-z0-9][a-z0-9_]{0,39}")
_WITHIN = re.compile(r"[1-9]\d?(h|sh|wd)")


def read_questionnaire(text: str) -> Questionnaire:
    """Return the questionnaire that ``text`` describes.

    Raises:
        QuestionnaireInvalid: with every mistake found.
    """
    problems: list[Problem] = []
    if len(text) > MAX_TEXT:
        raise QuestionnaireInvalid([Problem(0, "", f"longer than {MAX_TEXT // 1024} KiB")])
    try:
        tree = read_yaml(text)
    except YamlRefused as error:
        raise QuestionnaireInvalid([Problem(error.line, "", error.message)]) from error
    found = _questionnaire(_Place(tree, problems, "the questionnaire"))
    problems.extend(check(found))
    if problems:
        raise QuestionnaireInvalid(problems)
    return found


class _Place(Fields):
    """A mapping whose mistakes are written down with the item they belong to."""

    def __init__(self, tree: Tree, problems: list[Problem], what: str, item: str = "") -> None:
        def complain(line: int, message: str) -> None:
            problems.append(Problem(line, item, message))

        super().__init__(tree, complain, what)
        self.problems = problems
        self.item = item

    def inside(self, tree: Tree, what: str) -> "_Place":
        """Return a mapping inside this one."""
        return _Place(tree, self.problems, what, self.item)

    def short(self, name: str, limit: int, default: str = "") -> str:
        """Return a text of limited length."""
        text = self.text(name, default)
        if len(text) > limit:
            self.complain(self.line_of(name), f"{name} has {len(text)} characters, at most {limit} may stand")
        return text

    def known(self, name: str, words: Collection[str]) -> tuple[str, ...]:
        """Return words, each one of ``words``."""
        found = self.words(name)
        for word in found:
            if word not in words:
                self.complain(
                    self.line_of(name), f"{name} knows no “{word}”; it is one of {', '.join(sorted(words))}"
                )
        return tuple(word for word in found if word in words)

    def condition(self, name: str) -> Condition | None:
        """Return a condition."""
        text = self.text(name)
        try:
            return parse_condition(text) if text else None
        except BadCondition as error:
            self.complain(self.line_of(name), f"{name}: {error}")
            return None


def _questionnaire(top: _Place) -> Questionnaire:
    code = top.required("code")
    if code and not re.fullmatch("[A-Z]{2}", code):
        top.complain(top.line_of("code"), f"“{code}” is no code: two capital letters")
    title = top.short("title", MAX_LABEL) or top.required("title")
    found = Questionnaire(
        code=code,
        title=title,
        spoken=top.short("spoken", MAX_LABEL, title),
        minutes=top.number("minutes", 2, low=1, high=15),
        channels=tuple(Channel(word) for word in top.known("channels", tuple(Channel))) or tuple(Channel),
        items=_items(top),
        ivr=top.words("ivr"),
        people_from=top.number("people_from_severity", 0, low=0, high=3),
        language=top.short("language", 10, "zh-CN"),
    )
    top.done()
    return found


def _items(top: _Place) -> tuple[Item, ...]:
    tree = top.tree("items")
    if not isinstance(tree, Table):
        top.complain(top.line_of("items"), "items must be a mapping of ids to questions")
        return ()
    found = []
    for name, line, value in top.inside(tree, "items").items():
        if not ITEM_ID.fullmatch(name):
            top.complain(line, f"“{name}” is no id: two capital letters and a number, such as KG1")
            continue
        found.append(_item(_Place(value, top.problems, "the item", name), name, line))
    if len(found) > MAX_ITEMS:
        top.complain(tree.line, f"{len(found)} items, at most {MAX_ITEMS} may stand")
    return tuple(found)


def _item(place: _Place, name: str, line: int) -> Item:
    kind = ItemKind(place.choice("type", tuple(ItemKind), ItemKind.YN))
    if "type" not in place:
        place.complain(line, "type is missing")
    agent = place.choice("agent_type", (ItemKind.G4.value,), "")
    if not place.short("ask", MAX_PROMPT):
        place.complain(line, "ask is missing: the words of the question")
    department = place.known("department", DEPARTMENTS)
    if len(department) > 1:
        place.complain(place.line_of("department"), "an item counts for one department or for none")
    overlaid = _options(place, kind)
    item = Item(
        id=name,
        kind=kind,
        ask=place.text("ask"),
        keys=place.short("keys", MAX_PROMPT, SPOKEN_KEYS.get(kind, "")),
        ask_agent=place.short("ask_agent", MAX_PROMPT),
        ask_sms=place.short("ask_sms", MAX_PROMPT),
        options=overlaid,
        decisive=place.flag("decisive", False),
        overall=place.flag("overall", False),
        a_only=place.choice("level", ("all", "A"), "all") == "A",
        closing=place.flag("closing", False),
        optional=place.flag("optional", kind is ItemKind.FT),
        weight=place.number("weight", 1, low=0, high=10),
        department=department[0] if department else None,
        rated=place.known("rated", RATED),
        measure=place.short("measure", MAX_LABEL),
        condition=place.condition("when"),
        line=line,
    )
    place.done()
    if agent and kind is not ItemKind.SAT3:
        place.complain(place.line_of("agent_type"), "only SAT3 is asked otherwise by people")
    elif agent:
        item = replace(item, agent_kind=ItemKind.G4, agent_options=as_marks(item.options))
    return item


def _options(place: _Place, kind: ItemKind) -> tuple[Option, ...]:
    scale = {option.key: option for option in SCALES.get(kind, ())}
    tree = place.tree("answers")
    if not kind.has_options:
        if tree is not None:
            place.complain(tree.line, f"{kind} has no answers to choose from")
        return ()
    if tree is None:
        if not scale:
            place.complain(place.line, "answers are missing")
        return tuple(scale.values())
    answers, found = place.inside(tree, "answers"), dict(scale)
    for key, line, value in answers.items():
        if not re.fullmatch(r"[1-9]\d?", key):
            place.complain(line, f"“{key}” is no key: 1 to 9; 0 and * have their own meaning")
        elif scale and key not in scale:
            place.complain(line, f"{kind} has no answer {key}; it has {', '.join(scale)}")
        else:
            found[key] = _option(answers.inside(value, f"answer {key}"), key, scale.get(key), kind)
    if len(found) > MAX_OPTIONS:
        place.complain(tree.line, f"{len(found)} answers, at most {MAX_OPTIONS} may stand")
    stored = [option.value for option in found.values()]
    for double in sorted({name for name in stored if name and stored.count(name) > 1}):
        place.complain(tree.line, f"two answers are stored as “{double}”")
    return tuple(found.values())


def _option(place: _Place, key: str, scale: Option | None, kind: ItemKind) -> Option:
    bad = place.flag("bad", scale.bad if scale else False)
    value = scale.value if scale else place.required("value")
    if value and not _VALUE.fullmatch(value):
        place.complain(place.line_of("value"), f"value “{value}” may have small letters, digits and _")
    found = Option(
        key=key,
        value=value,
        label=scale.label if scale else (place.short("label", MAX_LABEL) or place.required("label")),
        score=_score(place, scale, bad),
        bad=bad,
        bad_when=place.condition("bad_when"),
        neutral=place.flag("neutral", scale.neutral if scale else False),
        counts=place.flag("counts", False),
        reason=place.flag("reason", False),
        rules=_rules(place),
        under=_under(place) if kind is ItemKind.TWO_LEVEL else (),
    )
    place.done()
    return found


def _score(place: _Place, scale: Option | None, bad: bool) -> int | None:
    if "score" in place:
        return place.number("score", 0, low=0, high=100)
    if scale:
        return scale.score
    return 0 if bad else None


def _under(place: _Place) -> tuple[Option, ...]:
    tree = place.tree("under")
    if tree is None:
        place.complain(place.line, "under is missing: the second level of the choice")
        return ()
    inside = place.inside(tree, "under")
    return tuple(
        _option(inside.inside(value, f"answer {key}"), key, None, ItemKind.SINGLE)
        for key, _, value in inside.items()
    )


def _rules(place: _Place) -> tuple[Rule, ...]:
    tree = place.tree("then")
    if tree is None:
        return ()
    parts = tree.items if isinstance(tree, Sequence) else (tree,)
    if len(parts) > MAX_RULES:
        place.complain(tree.line, f"{len(parts)} consequences, at most {MAX_RULES} may stand")
    return tuple(_rule(place.inside(part, "then")) for part in parts)


def _rule(place: _Place) -> Rule:
    if "do" not in place:
        place.complain(place.line, "do is missing: what is to happen")
    within = place.text("within")
    if within and not _WITHIN.fullmatch(within):
        place.complain(place.line_of("within"), f"“{within}” is no time: 3sh, 24h or 1wd")
    found = Rule(
        do=Do(place.choice("do", tuple(Do), Do.NOTE)),
        to=place.known("to", DEPARTMENTS),
        choose=place.known("choose", DEPARTMENTS),
        severity=place.number("severity", 1, low=1, high=3),
        within=within,
        detail=place.short("detail", MAX_LABEL),
        confidential=place.flag("confidential", False),
        listen_first=place.flag("listen_first", False),
        when=place.condition("when"),
    )
    place.done()
    if found.do in {Do.TICKET, Do.CARE} and not found.to:
        place.complain(place.line, f"{found.do} needs a department in «to»")
    return found
