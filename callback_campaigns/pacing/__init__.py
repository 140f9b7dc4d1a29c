"""Pacing: how many to dial now, so that agents are busy and hardly anybody answers to silence."""

from callback_campaigns.pacing.budget import AbandonmentBudget
from callback_campaigns.pacing.history import History
from callback_campaigns.pacing.one_each import OneEach
from callback_campaigns.pacing.pacer import Pacer, decide
from callback_campaigns.pacing.terms import Decision, Mode, Policy, Reason, Snapshot

__all__ = [
    "AbandonmentBudget",
    "Decision",
    "History",
    "Mode",
    "OneEach",
    "Pacer",
    "Policy",
    "Reason",
    "Snapshot",
    "decide",
]
