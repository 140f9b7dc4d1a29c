"""Mistakes in a questionnaire, each with its place."""

from collections.abc import Iterable
from dataclasses import dataclass

from kernel.errors import Invalid

MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake.

    Attributes:
        line: in the text, from 1; 0 where it has none.
        item: the item at fault; empty for the whole.
        message: what is wrong and what would be right.
        code: stable word for the mistakes that people make when they change words; the pages tell them in
            the language of the reader, with ``values`` in place.
    """

    line: int
    item: str
    message: str
    code: str = ""
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.item}: {self.message}" if self.item else f"{place}{self.message}"


class QuestionnaireInvalid(Invalid):
    """The questionnaire cannot be published; ``problems`` has every mistake, in the order of the text."""

    code = "questionnaire_invalid"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        shown = [str(problem) for problem in self.problems[:MAX_PROBLEMS]]
        if len(self.problems) > MAX_PROBLEMS:
            shown.append(f"and {len(self.problems) - MAX_PROBLEMS} more")
        super().__init__("\n".join(shown), field="text", problems=len(self.problems))
