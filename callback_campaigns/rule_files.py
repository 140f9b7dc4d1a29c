"""The rules that come with the product (``callback_campaigns/rules``)."""

from importlib.resources import files
from zoneinfo import ZoneInfo

from callback_campaigns.domain.dial_rules import DialFile, parse_dialling
from callback_campaigns.domain.plan_rules import PlanRules, parse_plan
from kernel.business_time import SHANGHAI


def shipped_plan() -> PlanRules:
    """Return which event makes which callback."""
    return parse_plan(_text("planning.yaml"))


def shipped_dialling(zone: ZoneInfo = SHANGHAI) -> DialFile:
    """Return when and how often customers are called; ``zone`` is the site's."""
    return parse_dialling(_text("dialling.yaml"), zone=zone)


def _text(name: str) -> str:
    return (files("callback_campaigns") / "rules" / name).read_text(encoding="utf-8")
