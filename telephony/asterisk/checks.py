"""The one place where configuration values are checked before they are written to Asterisk's files.

Asterisk's files have no general quoting: a line break starts another line, ``;`` a comment, ``[`` a
section, ``${`` an expression, a comma another application argument. So every rule below is a list of
what is allowed, and a value outside it is refused, never repaired.
"""

import dataclasses
import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from kernel.errors import Invalid
from telephony.asterisk.model import AgentEndpoint, PbxConfig

UNIX_SOCKET_PATH_LIMIT: Final = 107
"""Linux keeps 108 bytes for a socket's path, the closing zero among them."""


class InvalidPbxConfig(Invalid):
    """A configuration value cannot be written to Asterisk's files; ``field`` names it."""

    code = "pbx_config_invalid"


def _pattern(expression: str, what: str) -> Callable[[str], str | None]:
    compiled = re.compile(expression, re.ASCII)
    return lambda value: None if compiled.fullmatch(value) else what


def _label(value: str) -> str | None:
    if not 1 <= len(value) <= 80 or not value.isprintable():
        return "must be 1 to 80 printable characters"
    if set(value) & set(';"[]{}<>$\\|&,=') or value != value.strip():
        return 'must not contain ; " [ ] { } < > $ \\ | & , = nor begin or end with a space'
    return None


def _path(value: str) -> str | None:
    if not value.isprintable() or set(value) & set(';"[]{}<>$\\|&,()=') or value != value.strip():
        return 'must not contain control characters nor ; " [ ] { } < > $ \\ | & , ( ) ='
    return None


def _network(value: str) -> str | None:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return "must be an IP address or network"
    return None


def _between(low: int, high: int) -> Callable[[str], str | None]:
    return lambda value: None if low <= int(value) <= high else f"must be from {low} to {high}"


RULES: Final[dict[str, Callable[[str], str | None]]] = {
    "name": _pattern(
        r"[a-z][a-z0-9_-]{0,31}", "must be a small letter, then up to 31 small letters, digits, _ or -"
    ),
    "number": _pattern(r"\+?[0-9]{2,20}", "must be 2 to 20 digits, with or without a leading +"),
    "secret": _pattern(r"[A-Za-z0-9._~@+-]{1,128}", "must be 1 to 128 of letters, digits and . _ ~ @ + -"),
    "host": _pattern(
        r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|[0-9a-fA-F:]{2,39}", "must be a host name or address"
    ),
    "network": _network,
    "port": _between(1, 65535),
    "path": _path,
    "label": _label,
    "seconds": _between(0, 86400),
    "count": _between(0, 100_000),
}


def _values(thing: object, place: str) -> Iterator[tuple[str, str | None, object]]:
    """Every leaf below a dataclass as (place, rule, value)."""
    assert dataclasses.is_dataclass(thing)
    for item in dataclasses.fields(thing):
        value = getattr(thing, item.name)
        here = f"{place}.{item.name}" if place else item.name
        rule = item.metadata.get("rule")
        for index, part in enumerate(value) if isinstance(value, tuple) else ((None, value),):
            spot = here if index is None else f"{here}[{index}]"
            if dataclasses.is_dataclass(part):
                yield from _values(part, spot)
            else:
                yield spot, rule, part


def check(config: PbxConfig) -> None:
    """Refuse a configuration that could not be written safely or that contradicts itself.

    Raises:
        InvalidPbxConfig: names the first field at fault, such as ``agents[3].display_name``; the value
            itself is not repeated, it may be a secret.
    """
    _check_values(config, "")
    _check_sense(config)


def check_agents(agents: Sequence[AgentEndpoint]) -> None:
    """Do :func:`check` for the agents' telephones alone. Raises InvalidPbxConfig."""
    for index, agent in enumerate(agents):
        _check_values(agent, f"agents[{index}]")
    _check_once("agents", [agent.number for agent in agents])


def _check_values(thing: object, place: str) -> None:
    for spot, rule, value in _values(thing, place):
        if rule is None or value is None:
            continue
        wrong = RULES[rule](str(value))
        if wrong:
            raise InvalidPbxConfig(f"{spot} {wrong}", field=spot)


def _check_once(name: str, keys: Sequence[str]) -> None:
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise InvalidPbxConfig(f"{name} has {', '.join(sorted(twice))} twice", field=name)


def _check_sense(config: PbxConfig) -> None:
    """Rules between fields."""
    for name, keys in (
        ("trunks", [trunk.name for trunk in config.trunks]),
        ("agents", [agent.number for agent in config.agents]),
        ("queues", [queue.name for queue in config.queues]),
    ):
        _check_once(name, keys)
    if config.default_queue not in {queue.name for queue in config.queues}:
        raise InvalidPbxConfig("default_queue names no queue", field="default_queue")
    if config.rtp_end - config.rtp_start < 3:
        raise InvalidPbxConfig("rtp_end must leave at least four ports after rtp_start", field="rtp_end")
    for index, trunk in enumerate(config.trunks):
        if (trunk.register or trunk.secret) and not (trunk.username and trunk.secret):
            raise InvalidPbxConfig(
                f"trunks[{index}] needs both username and secret", field=f"trunks[{index}].username"
            )
        if not trunk.codecs:
            raise InvalidPbxConfig(f"trunks[{index}].codecs is empty", field=f"trunks[{index}].codecs")
    for name, path in (
        *((item.name, getattr(config.paths, item.name)) for item in dataclasses.fields(config.paths)),
        ("prompts_dir", config.prompts_dir),
        ("music_dir", config.music_dir),
        ("recordings_dir", config.recordings_dir),
    ):
        if not Path(path).is_absolute():
            raise InvalidPbxConfig(f"{name} must be an absolute path", field=name)
    if len(str(config.paths.control_socket).encode()) > UNIX_SOCKET_PATH_LIMIT:
        raise InvalidPbxConfig(
            "paths.run is too long for a Unix socket; choose a shorter directory", field="paths.run"
        )
