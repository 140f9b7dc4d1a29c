"""The YAML of a flow file as a tree; a file that is no YAML is refused like any other mistake in it."""

from ivr.domain.problems import FlowInvalid, Problem
from kernel.yaml_tree import Tree, YamlRefused
from kernel.yaml_tree import read_yaml as read_tree


def read_yaml(text: str, source: str) -> Tree:
    """Return the only document of ``text``.

    Raises:
        FlowInvalid: not YAML, too big, too deep, or with anchors, aliases, tags or several documents.
    """
    try:
        return read_tree(text)
    except YamlRefused as error:
        raise FlowInvalid(source, [Problem(error.line, None, error.message)]) from error
