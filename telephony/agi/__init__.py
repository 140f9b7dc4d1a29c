"""FastAGI: the only place besides ``telephony.ami`` that imports panoramisk."""

from telephony.agi.codec import AgiEnvironment, AgiReply
from telephony.agi.errors import AgiError, AgiTimeout, AgiValueRefused, CallerHungUp
from telephony.agi.server import AgiConfig, AgiServer
from telephony.agi.session import AgiSession, Digits

__all__ = [
    "AgiConfig",
    "AgiEnvironment",
    "AgiError",
    "AgiReply",
    "AgiServer",
    "AgiSession",
    "AgiTimeout",
    "AgiValueRefused",
    "CallerHungUp",
    "Digits",
]
