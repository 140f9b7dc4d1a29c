"""The rules and texts that are shipped (``rules.yaml``), read and checked once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from crm.notices.domain import Channel, Party, Scope, Severity, check_code, one_line, recipients
from kernel.errors import ConfigurationError, HuifangError

PATH = Path(__file__).with_name("rules.yaml")
LANGUAGES = ("zh-CN", "en")
TITLE_LENGTH = 120
TEXT_LENGTH = 500
MISSING = "–"

_FIELD = re.compile(r"\{(\w+)(?::(\w+))?\}")
_TIME = {"zh-CN": "%m月%d日 %H:%M", "en": "%d %b %H:%M"}

Text = Mapping[str, str]
"""Language → text."""


@dataclass(frozen=True, slots=True)
class ShippedRule:
    """A rule as it comes with this version."""

    code: str
    recipients: tuple[str, ...]
    channels: tuple[Channel, ...]
    severity: Severity
    title: Text
    text: Text


@dataclass(frozen=True, slots=True)
class CustomerText:
    """A text to customers, and what it is about."""

    scope: Scope
    title: Text
    """What it is called here; the customer does not see it."""
    text: Text


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All that ``rules.yaml`` says."""

    notices: Mapping[str, ShippedRule]
    customers: Mapping[str, "CustomerText"]
    words: Mapping[str, Mapping[str, Text]] = field(default_factory=dict)

    def title(self, code: str, parameters: Mapping[str, str], language: str, zone: ZoneInfo) -> str:
        """Return the title of a notice on one line; that of a code of another version is the code itself."""
        rule = self.notices.get(code)
        template = rule.title if rule else None
        return self._filled(template, code, parameters, language, zone, TITLE_LENGTH)

    def text(self, code: str, parameters: Mapping[str, str], language: str, zone: ZoneInfo) -> str:
        """Return the text of a notice on one line."""
        rule = self.notices.get(code)
        return self._filled(rule.text if rule else None, "", parameters, language, zone, TEXT_LENGTH)

    def customer_text(self, code: str, parameters: Mapping[str, str], language: str, zone: ZoneInfo) -> str:
        """Return a text to a customer.

        Raises:
            ConfigurationError: there is none of that name.
        """
        if code not in self.customers:
            raise ConfigurationError(f"no text to customers is named {code}", field="template")
        return self._filled(self.customers[code].text, "", parameters, language, zone, TEXT_LENGTH)

    def customer_title(self, code: str, language: str) -> str:
        """Return what a text to customers is called; that of another version is its code."""
        known = self.customers.get(code)
        return known.title[language if language in LANGUAGES else LANGUAGES[0]] if known else code

    def error(self, said: str, language: str) -> str:
        """Return in words what a sender said; the details that it put in brackets stay as they are."""
        phrase, bracket, details = said.partition(" (")
        known = self.words["errors"].get(phrase)
        if known is None:
            return said
        return known[language if language in LANGUAGES else LANGUAGES[0]] + bracket + details

    def _filled(
        self,
        template: Text | None,
        otherwise: str,
        parameters: Mapping[str, str],
        language: str,
        zone: ZoneInfo,
        limit: int,
    ) -> str:
        if template is None:
            return otherwise
        language = language if language in LANGUAGES else LANGUAGES[0]

        def value(match: re.Match[str]) -> str:
            name, kind = match[1], match[2]
            given = parameters.get(name, "")
            if kind == "time":
                return _moment(given, language, zone)
            if kind == "errors":
                return self.error(given, language)
            if kind is not None and given in self.words[kind]:
                return self.words[kind][given][language]
            return given

        return one_line(_FIELD.sub(value, template[language]), limit)


def _moment(raw: str, language: str, zone: ZoneInfo) -> str:
    try:
        at = datetime.fromisoformat(raw)
    except ValueError:
        return MISSING
    return at.astimezone(zone).strftime(_TIME[language]) if at.tzinfo else MISSING


@cache
def shipped() -> RuleBook:
    """Return what comes with this version."""
    return read_rules(PATH.read_text(encoding="utf-8"))


def read_rules(source: str) -> RuleBook:
    """Read and check a rule book.

    Raises:
        ConfigurationError: it is no rule book; the message names the place.
    """
    try:
        tree = yaml.safe_load(source)
        words = {
            name: {code: _text(text, f"words.{name}.{code}") for code, text in table.items()}
            for name, table in tree["words"].items()
        }
        notices = {code: _rule(code, given) for code, given in tree["notices"].items()}
        customers = {
            code: CustomerText(
                Scope(given["scope"]), _text(given["title"], f"{code}.title"), _text(given["text"], code)
            )
            for code, given in tree["customers"].items()
        }
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"rules.yaml: {type(error).__name__}: {str(error)[:200]}") from error
    texts = [text for rule in notices.values() for text in (rule.title, rule.text)]
    texts += [told.text for told in customers.values()]
    for text in texts:
        kinds = {match[2] for line in text.values() for match in _FIELD.finditer(line)} - {None, "time"}
        if unknown := kinds - set(words):
            raise ConfigurationError(f"rules.yaml: no table of words is named {', '.join(unknown)}")
    return RuleBook(notices, customers, words)


def _rule(code: str, given: Mapping[str, Any]) -> ShippedRule:
    try:
        expressions = tuple(str(item) for item in given["recipients"])
        recipients(expressions, Party())
        return ShippedRule(
            code=check_code(code),
            recipients=expressions,
            channels=tuple(Channel(item) for item in given["channels"]),
            severity=Severity(given["severity"]),
            title=_text(given["title"], f"{code}.title"),
            text=_text(given["text"], f"{code}.text"),
        )
    except HuifangError as error:
        raise ConfigurationError(f"rules.yaml: {code}: {error.message}") from error


def _text(given: Any, place: str) -> Text:
    if not isinstance(given, dict) or set(given) != set(LANGUAGES):
        raise ConfigurationError(f"rules.yaml: {place}: a text in each of {', '.join(LANGUAGES)}")
    fields = [sorted(match.groups("") for match in _FIELD.finditer(str(given[one]))) for one in LANGUAGES]
    if fields[0] != fields[1]:
        raise ConfigurationError(f"rules.yaml: {place}: the languages are filled with different parameters")
    return {language: str(given[language]) for language in LANGUAGES}
