"""From the greeting to the knowledge of which run of Asterisk this is."""

import hashlib
from datetime import datetime, timedelta

from telephony.ami.actions import AmiActions
from telephony.ami.config import AmiConfig
from telephony.ami.epoch import Boot
from telephony.ami.errors import AmiInvalid, AmiLoginRefused, AmiRejected
from telephony.ami.message import AmiEvent


async def log_in(actions: AmiActions, config: AmiConfig) -> None:
    """Authenticate, by challenge unless the settings say otherwise.

    Raises:
        AmiLoginRefused: the PBX said no. Trying again by itself would not help and looks like an attack.
        AmiDown, AmiTimeout: the connection ended or no answer came.
    """
    try:
        if config.md5_login:
            response, _ = await actions.request(
                "Challenge", [("AuthType", "MD5")], timeout=config.login_timeout
            )
            # The protocol's own digest; it keeps the secret off the wire, TLS is what protects the link.
            digest = hashlib.md5((response.get("challenge") + config.secret).encode(), usedforsecurity=False)
            proof = [("AuthType", "MD5"), ("Key", digest.hexdigest())]
        else:
            proof = [("Secret", config.secret)]
        headers = [("Username", config.username), *proof, ("Events", config.event_mask)]
        await actions.request("Login", headers, timeout=config.login_timeout)
    except AmiRejected as error:
        raise AmiLoginRefused(error.answer[:200] or "the PBX refused the login") from error
    except AmiInvalid as error:
        raise AmiLoginRefused("user name, secret or event mask cannot be sent") from error


async def which_boot(actions: AmiActions, booted: AmiEvent, *, now: datetime) -> Boot:
    """Recognise the run of Asterisk: by its start-up time, else by its uptime."""
    uptime = booted.get("uptime")
    booted_at = now - timedelta(seconds=int(uptime)) if uptime.isascii() and uptime.isdigit() else None
    try:
        boot_id = (await actions.core_status()).boot_id
    except AmiRejected:  # the manager user lacks the class ``system``
        boot_id = ""
    return Boot(boot_id=boot_id, booted_at=booted_at)
