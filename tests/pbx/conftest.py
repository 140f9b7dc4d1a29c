"""Fixtures of the scenarios on a real Asterisk."""

from tests.support.runtime import runtime

__all__ = ["runtime"]
