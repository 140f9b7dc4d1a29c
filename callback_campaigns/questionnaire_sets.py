"""The questionnaires that come with the program (domain.md §3.1 to §3.8)."""

from functools import cache
from importlib.resources import files

from callback_campaigns.domain.questionnaire import Questionnaire
from callback_campaigns.domain.questionnaire_yaml import read_questionnaire

SHIPPED = ("KG", "YB", "ZQ", "WG", "TS", "BX", "JG", "LW")


@cache
def shipped_text(code: str) -> str:
    """Return the YAML of a shipped questionnaire."""
    return files("callback_campaigns").joinpath("questionnaires", f"{code.lower()}.yaml").read_text("utf-8")


@cache
def shipped(code: str) -> Questionnaire:
    """Return a shipped questionnaire."""
    return read_questionnaire(shipped_text(code))
