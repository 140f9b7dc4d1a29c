"""Variables inside the values of a ``set`` node: ``{other}`` stands for another variable's value."""

import re
from collections.abc import Mapping

MAX_VALUE = 200
_NAME = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def names_in(text: str) -> frozenset[str]:
    """Return the variables that ``text`` refers to."""
    return frozenset(_NAME.findall(text))


def filled(text: str, variables: Mapping[str, str]) -> str:
    """Return ``text`` with the variables' values; unknown ones become empty. Bounded in length."""
    return _NAME.sub(lambda found: variables.get(found[1], ""), text)[:MAX_VALUE]
