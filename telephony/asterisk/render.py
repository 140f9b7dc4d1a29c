"""Asterisk's configuration files from a `PbxConfig`: Jinja2 templates in, text or files out."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from telephony.asterisk.checks import InvalidPbxConfig, check, check_agents
from telephony.asterisk.model import AgentEndpoint, PbxConfig, TestPhone
from telephony.asterisk.modules import MODULES
from telephony.asterisk.sounds import CHIME, write_sounds
from telephony.softphone_keys import TRY_PHONE

AGENT_PHONES: Final = "pjsip_agents.conf"
QUEUES: Final = ("queues.conf", "extensions_queues.conf")
"""Files that tell of queues and of nothing else."""
PRIVATE: Final = frozenset({"manager.conf", "pjsip.conf", AGENT_PHONES})
"""Files that hold secrets."""


def hostport(host: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_short_number(number: str) -> bool:
    """Whether the dialplan's ``_1XXX`` already covers this agent's number."""
    return len(number) == 4 and number.startswith("1") and number.isdigit()


def _last_look(value: object) -> object:
    """Every value passes here on its way into a file; `check` has named the field long before."""
    text = str(value)
    if not text.isprintable() or ";" in text:
        raise InvalidPbxConfig("a value for Asterisk's files has a control character or a semicolon")
    return value


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("telephony.asterisk", "templates"),
        undefined=StrictUndefined,
        finalize=_last_look,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - these are no web pages
    )
    environment.filters["hostport"] = hostport
    environment.tests["short_number"] = _is_short_number
    return environment


_ENVIRONMENT: Final = _environment()


def file_names() -> tuple[str, ...]:
    """The files that `render` makes."""
    return tuple(sorted(name.removesuffix(".j2") for name in _ENVIRONMENT.list_templates(extensions=["j2"])))


def render(config: PbxConfig, *, available: Collection[str] | None = None) -> dict[str, str]:
    """Every file's name and text.

    ``available`` names the modules this installation has (without ``.so``); the others are left out of
    modules.conf. None means that all are there.

    Raises:
        InvalidPbxConfig: a value may not be written; its ``field`` says which.
    """
    check(config)
    names = {
        **{name: getattr(config, name) for name in PbxConfig.__dataclass_fields__},
        "modules": [module for module in MODULES if available is None or module in available],
        "music_classes": sorted({"default", *(queue.music for queue in config.queues)}),
        "own_numbers": sorted(
            {config.hotline_number, *(did for trunk in config.trunks for did in trunk.dids)}
        ),
        "chime": CHIME,
        "try_phone": TRY_PHONE,
    }
    return {name: _ENVIRONMENT.get_template(f"{name}.j2").render(names) for name in file_names()}


def installed_modules(config: PbxConfig) -> frozenset[str] | None:
    """The modules in the installation's directory, or None when it cannot be seen from here."""
    found = frozenset(path.stem for path in config.paths.modules.glob("*.so"))
    return found or None


def music_directories(config: PbxConfig) -> tuple[Path, ...]:
    """The directory of every music class, the default one first."""
    others = sorted({queue.music for queue in config.queues} - {"default"})
    return (config.music_dir, *(config.music_dir / name for name in others))


def write(config: PbxConfig, directory: Path | None = None) -> tuple[Path, ...]:
    """Render everything, then replace the files in ``directory`` (``config.paths.config``) one by one.

    Nothing is touched when a value is refused, and a reader never sees half a file. Returns the paths
    whose content changed, so that the caller knows what to reload.
    """
    texts = render(config, available=installed_modules(config))
    target = directory or config.paths.config
    target.mkdir(parents=True, exist_ok=True)
    return tuple(target / name for name, text in texts.items() if _replace(target / name, text))


def write_agents(
    agents: Sequence[AgentEndpoint], directory: Path, *, test_phone: TestPhone | None = None
) -> bool:
    """Replace the file of the agents' telephones, and the one to try out with; tell whether anything is new.

    Raises:
        InvalidPbxConfig: a value may not be written; nothing is touched.
        OSError: the file cannot be written.
    """
    check_agents(agents)
    text = _ENVIRONMENT.get_template(f"{AGENT_PHONES}.j2").render(
        {"agents": agents, "test_phone": test_phone}
    )
    return _replace(directory / AGENT_PHONES, text)


def write_queues(config: PbxConfig, directory: Path) -> bool:
    """Replace the files that tell of queues; tell whether anything is new.

    Raises:
        InvalidPbxConfig: a value may not be written; nothing is touched.
        OSError: a file cannot be written.
    """
    texts = render(config)
    new = [name for name in QUEUES if _replace(directory / name, texts[name])]
    return bool(new)


def _replace(path: Path, text: str) -> bool:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    mode = 0o600 if path.name in PRIVATE else 0o644
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
    return True


def prepare(config: PbxConfig) -> tuple[Path, ...]:
    """Everything Asterisk needs on disk before it starts: directories, sounds, files (see `write`)."""
    check(config)
    for directory in (*config.paths.writable, config.recordings_dir):
        directory.mkdir(parents=True, exist_ok=True)
    write_sounds(config.prompts_dir, music_directories(config))
    return write(config)
