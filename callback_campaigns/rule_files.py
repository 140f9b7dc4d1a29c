"""The rules that come with the product (``callback_campaigns/rules``)."""

from importlib.resources import files

from callback_campaigns.domain.dial_rules import DialFile, parse_dialling
from callback_campaigns.domain.plan_rules import PlanRules, parse_plan


def shipped_plan() -> PlanRules:
    """Return which event makes which callback."""
    return parse_plan(_text("planning.yaml"))


def shipped_dialling() -> DialFile:
    """Return when and how often customers are called."""
    return parse_dialling(_text("dialling.yaml"))


def _text(name: str) -> str:
    return (files("callback_campaigns") / "rules" / name).read_text(encoding="utf-8")
