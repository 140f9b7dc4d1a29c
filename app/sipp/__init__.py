"""SIPp with a remote control: scenarios (`*.xml.j2`) and the process that plays them."""

from app.sipp.process import SippEvent, SippFailed, SippProcess, free_udp_port, render_scenario

__all__ = ["SippEvent", "SippFailed", "SippProcess", "free_udp_port", "render_scenario"]
