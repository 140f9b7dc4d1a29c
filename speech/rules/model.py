"""Rules as data: read from YAML, checked whole, every mistake named with its line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

from kernel.errors import Invalid
from kernel.yaml_fields import Fields
from kernel.yaml_tree import Sequence as Items
from kernel.yaml_tree import YamlRefused, read_yaml
from speech.rules.findings import RuleKind, Speaker
from speech.rules.lexicon import LONGEST as LONGEST_WORD
from speech.rules.lexicon import Lexicon
from speech.rules.patterns import PhraseInvalid, Phrases
from speech.trade_words import TRADE_WORDS

MAX_RULES = 200
MAX_PHRASES = 80
MAX_PROBLEMS = 20
MAX_WORDS = 400
MAX_LEXICON = 1_000
MAX_ID = 40
MAX_VALUE = 60
MAX_LABEL = 20
SHIPPED = "zh.yaml"

_ID = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.")


class RulesInvalid(Invalid):
    """The rules cannot be used; the message has a line for each mistake."""

    code = "rules_invalid"


class NeedsTime(StrEnum):
    """Whether a day or an hour must stand near."""

    NO = "no"
    MAY = "may"
    MUST = "must"


_SUPPOSED_TOO = frozenset(
    (
        RuleKind.THREAT,
        RuleKind.WISH,
        RuleKind.PROMISE,
        RuleKind.APPOINTMENT,
        RuleKind.REFUSAL,
        RuleKind.DO_NOT_CALL,
    )
)
"""Kinds that count when said with «if» or asked: a threat is made of it."""
_NEVER_DENIED = frozenset((RuleKind.REFUSAL, RuleKind.DO_NOT_CALL, RuleKind.PLACE))
"""Kinds whose words say «not» themselves, or for which it does not matter."""
_CUSTOMER_ONLY = frozenset(RuleKind) - {RuleKind.PROMISE, RuleKind.APPOINTMENT}
_BARE_NOT = frozenset((RuleKind.TOPIC, RuleKind.ITEM, RuleKind.URGENCY, RuleKind.SEVERITY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        who: whose words it looks at; nobody's mean both.
        phrases: see :mod:`speech.rules.patterns`.
        sounds: words that count as well when they only sound so: recognisers write other characters.
        unless: phrases that speak against it when they stand in the same text.
        time: whether a day or an hour belongs to it.
    """

    id: str
    kind: RuleKind
    value: str
    label: str
    who: Speaker | None
    phrases: tuple[str, ...]
    sounds: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    confidence: float = 0.8
    time: NeedsTime = NeedsTime.NO
    find: Phrases = field(compare=False, repr=False)
    against: Phrases = field(compare=False, repr=False)

    @property
    def supposed_too(self) -> bool:
        """Whether it counts when it is only supposed."""
        return self.kind in _SUPPOSED_TOO

    @property
    def never_denied(self) -> bool:
        """Whether a «not» before it changes nothing."""
        return self.kind in _NEVER_DENIED

    @property
    def bare_not(self) -> bool:
        """Whether a lone «不» denies it."""
        return self.kind in _BARE_NOT


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All rules of one language.

    Attributes:
        lexicon: words of the trade and the rules' own, which also count where others of the same sound stand.
    """

    language: str
    rules: tuple[Rule, ...]
    lexicon: Lexicon = field(default_factory=lambda: Lexicon(()), compare=False, repr=False)


def parse_rules(text: str, source: str = "rules") -> RuleSet:
    """Read rules.

    Raises:
        RulesInvalid: what is wrong, a line for each mistake (at most :data:`MAX_PROBLEMS`).
    """
    problems: list[str] = []

    def complain(line: int, what: str) -> None:
        problems.append(f"{source}, line {line}: {what}")

    try:
        top = Fields(read_yaml(text), complain, "the file")
    except YamlRefused as error:
        raise RulesInvalid(f"{source}, line {error.line}: {error.message}", field="text") from error
    language = top.choice("language", ("zh", "en"), "zh")
    words = top.words("words")
    if len(words) > MAX_WORDS:
        complain(top.line_of("words"), f"{len(words)} words: {MAX_WORDS} is the most")
    for word in words:
        if not 2 <= len(word) <= LONGEST_WORD or not all("\u4e00" <= char <= "\u9fff" for char in word):
            complain(
                top.line_of("words"), f"“{word[:20]}”: a word has 2 to {LONGEST_WORD} Chinese characters"
            )
    tree = top.tree("rules")
    rules: list[Rule] = []
    if not isinstance(tree, Items) or not tree.items:
        complain(top.line_of("rules"), "rules must be a list of at least one rule")
    else:
        if len(tree.items) > MAX_RULES:
            complain(tree.line, f"{len(tree.items)} rules: {MAX_RULES} is the most")
        for item in tree.items[:MAX_RULES]:
            rules += _rule(Fields(item, complain, "the rule"))
    top.done()
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            problems.append(f"{source}: the id {rule.id} stands twice")
        seen.add(rule.id)
    if problems:
        raise RulesInvalid("\n".join(problems[:MAX_PROBLEMS]), field="text")
    trade = TRADE_WORDS if language == "zh" else ()
    known = list(dict.fromkeys((*words, *(word for rule in rules for word in rule.sounds), *trade)))
    return RuleSet(language=language, rules=tuple(rules), lexicon=Lexicon(known[:MAX_LEXICON]))


def _rule(fields: Fields) -> Iterable[Rule]:
    name = fields.required("id")
    if name and (len(name) > MAX_ID or set(name) - _ID):
        fields.complain(fields.line_of("id"), f"id: up to {MAX_ID} of a-z, 0-9, _ and .")
    kind = fields.choice("kind", tuple(RuleKind), "") or ""
    if not kind:
        fields.complain(fields.line, "kind is missing")
    value, label = fields.required("value"), fields.required("label")
    for what, given, most in (("value", value, MAX_VALUE), ("label", label, MAX_LABEL)):
        if len(given) > most:
            fields.complain(fields.line_of(what), f"{what}: at most {most} characters")
    usual = Speaker.CUSTOMER.value if kind in _CUSTOMER_ONLY else "both"
    who = fields.choice("who", (*Speaker, "both"), usual)
    percent = fields.number("confidence", 80, low=10, high=100)
    time = fields.choice("time", tuple(NeedsTime), NeedsTime.NO)
    phrases, sounds, unless = fields.words("phrases"), fields.words("sounds"), fields.words("unless")
    if not phrases and not sounds:
        fields.complain(fields.line, "a rule needs phrases or sounds")
    if max(len(phrases), len(sounds), len(unless)) > MAX_PHRASES:
        fields.complain(fields.line, f"at most {MAX_PHRASES} phrases; make two rules of it")
    fields.done()
    find, against = _compiled(fields, "phrases", phrases, sounds), _compiled(fields, "unless", unless, ())
    if not name or not kind or find is None or against is None:
        return
    yield Rule(
        id=name,
        kind=RuleKind(kind),
        value=value,
        label=label,
        who=None if who == "both" else Speaker(who),
        phrases=phrases,
        sounds=sounds,
        unless=unless,
        confidence=percent / 100,
        time=NeedsTime(time),
        find=find,
        against=against,
    )


def _compiled(fields: Fields, what: str, phrases: Sequence[str], sounds: Sequence[str]) -> Phrases | None:
    try:
        return Phrases(phrases[:MAX_PHRASES], sounds[:MAX_PHRASES])
    except PhraseInvalid as error:
        fields.complain(fields.line_of(what), str(error))
        return None


def shipped_text() -> str:
    """Return the rules that come with the product, as they are written."""
    return (files("speech.rules") / SHIPPED).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def shipped_rules() -> RuleSet:
    """Return the rules that come with the product."""
    return parse_rules(shipped_text(), SHIPPED)
