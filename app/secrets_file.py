"""Secrets that this installation made for itself, kept in the data folder for its owner only."""

import json
import os
import secrets
from pathlib import Path

from kernel.errors import ConfigurationError

NAME = "secrets.json"


def installation_secret(data_dir: Path, name: str) -> str:
    """Return the secret called ``name``, made at random the first time.

    Raises:
        ConfigurationError: the file is damaged or cannot be written.
    """
    found = _read(data_dir / NAME)
    if name not in found:
        found[name] = secrets.token_urlsafe(24)
        write_private(data_dir / NAME, json.dumps(found, indent=1))
    return found[name]


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}; restore it or delete it") from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path} is damaged; restore it or delete it")
    return {str(name): str(value) for name, value in found.items()}


def write_private(path: Path, text: str) -> None:
    """Write ``text`` to a file that only its owner may read; a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(
        os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    fresh.replace(path)
