"""The mappings of a flow file, whose mistakes are written down with the node they belong to."""

from ivr.domain.problems import Problem
from kernel.yaml_fields import Fields
from kernel.yaml_tree import Tree


def fields_of(
    tree: Tree, problems: list[Problem], what: str, node: str | None = None, entry: str = "entry"
) -> Fields:
    """Return typed access to a mapping; every mistake found in it goes to ``problems``."""

    def complain(line: int, message: str) -> None:
        problems.append(Problem(line, node, message))

    return Fields(tree, complain, what, entry)
