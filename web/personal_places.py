"""What all tables hold of people: what every package says of its own, in one (:mod:`kernel.personal`)."""

from callback_campaigns.personal_places import PERSONAL as OF_CALLBACKS
from crm.personal_places import PERSONAL as OF_CRM
from kernel.personal import COMMON, Personal
from kernel.traces import Trace
from speech.personal_places import PERSONAL as OF_SPEECH
from telephony.personal_places import PERSONAL as OF_TELEPHONY

_OF_THE_SHELL = Personal(
    traces=(
        Trace(table="outbox", column="payload", settled="due_at"),
        Trace(table="failed_fact", column="payload"),
        # That it was carried out stays known, so that it is not carried out twice; its answer goes.
        Trace(table="api_answer", column="answer", emptied={"answer": None, "state": "changed"}),
    ),
    innocent={
        "accounts and devices of who works here": (
            *("user_account.*", "user_session.*", "user_device.*", "api_token.*"),
            "wall_screen.*",
        ),
        "an answer that is repeated for a day and then swept; a trace of whoever is erased": (
            "api_answer.*",
        ),
        "the journal: kept whole, or its chain breaks; the person is told": ("audit_record.*",),
        "facts on their way, and what went wrong with them; traces of whoever is erased": (
            "consumed_fact.*",
            "failed_fact.*",
        ),
        "the menus of the centre": ("ivr_*",),
        "what is listened for, and the company's own words": (
            *("speech_rule_set.*", "speech_rule_version.*", "speech_phrase.*"),
        ),
    },
)
PERSONAL = COMMON + OF_CRM + OF_TELEPHONY + OF_SPEECH + OF_CALLBACKS + _OF_THE_SHELL
