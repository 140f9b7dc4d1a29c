"""Mistakes in a flow file, each with its place."""

from collections.abc import Iterable
from dataclasses import dataclass

from kernel.errors import Invalid

MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake.

    Attributes:
        line: line in the file, from 1; 0 where it has none.
        node: the node at fault, ``None`` for the file as a whole.
        message: what is wrong and what would be right.
    """

    line: int
    node: str | None
    message: str

    def describe(self, source: str) -> str:
        """Return ``hotline.yaml:31: node “menu”: key 1 appears twice``."""
        place = f"{source}:{self.line}" if self.line else source
        return f"{place}: node “{self.node}”: {self.message}" if self.node else f"{place}: {self.message}"


class FlowInvalid(Invalid):
    """The flow cannot be published; ``problems`` has every mistake found, in the order of the file."""

    code = "flow_invalid"

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(
            sorted(set(problems), key=lambda problem: (problem.line, problem.node or "", problem.message))
        )
        shown = [problem.describe(source) for problem in self.problems[:MAX_PROBLEMS]]
        if len(self.problems) > MAX_PROBLEMS:
            shown.append(f"{source}: and {len(self.problems) - MAX_PROBLEMS} more")
        super().__init__("\n".join(shown), field="yaml", problems=len(self.problems))
