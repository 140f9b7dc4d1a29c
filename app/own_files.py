"""The centre's own files beside its data, which take the place of those that come with the product."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kernel.errors import ConfigurationError

LONGEST = 64 * 1024

T = TypeVar("T")


def own_or_shipped(path: Path, parse: Callable[[str, str], T], shipped: Callable[[], T]) -> T:
    """Return what the centre's own file says, or what comes with the product.

    Raises:
        ConfigurationError: what is wrong with the file, a line for each mistake.
    """
    if not path.is_file():
        return shipped()
    if path.stat().st_size > LONGEST:
        raise ConfigurationError(f"{path.name}: larger than {LONGEST // 1024} KB")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path.name}: not a text in UTF-8") from error
    return parse(text, path.name)
