"""The ports of the centre, and whether they are free before it starts."""

import os

from app.doctor.inputs import PortUse
from app.doctor.sockets import owners, try_bind
from app.settings import PREFIX, Settings
from kernel.errors import ConfigurationError

LOCK = "up.lock"
"""File in the data folder's ``run`` that a running ``huifang up`` holds; it names the process."""


class PortTaken(ConfigurationError):
    """Another program listens on a port that is needed."""

    code = "port_taken"


def port_uses(settings: Settings) -> tuple[PortUse, ...]:
    """Return every address that ``huifang up`` listens on."""
    return (
        PortUse("the pages", "web.port", settings.web.host, settings.web.port),
        PortUse("FastAGI", "agi.port", settings.agi.host, settings.agi.port),
        PortUse("Asterisk's manager", "ami.port", settings.ami.host, settings.ami.port),
        PortUse("SIP", "pbx.sip_port", settings.pbx.sip_host, settings.pbx.sip_port, ("udp",)),
        PortUse("SIP over WebSocket", "pbx.ws_port", settings.pbx.ws_host, settings.pbx.ws_port),
    )


def check_free(uses: tuple[PortUse, ...]) -> None:
    """Make sure that every address is fixed and can be listened on.

    Raises:
        ConfigurationError: a port is 0, which only a process that is asked for its port can use.
        PortTaken: one line that names the port, its user where the machine tells, and the setting.
    """
    for use in uses:
        if use.port == 0:
            variable = PREFIX + use.setting.replace(".", "__").upper()
            raise ConfigurationError(f"{variable}=0 is for «huifang serve»; «huifang up» needs a fixed port")
        for kind in use.kinds:
            problem = try_bind(use.host, use.port, kind)
            if problem:
                found = owners(use.port, kind)
                by = f" by {found[0].name} (pid {found[0].pid})" if found else ""
                variable = PREFIX + use.setting.replace(".", "__").upper()
                raise PortTaken(
                    f"port {use.port} for {use.name} is taken{by} ({os.strerror(problem)}): "
                    f"stop it, or choose another with {variable}=…"
                )
