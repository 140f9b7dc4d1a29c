"""What all tables hold of people: what every package says of its own, in one (:mod:`kernel.personal`)."""

from callback_campaigns.personal_places import PERSONAL as OF_CALLBACKS
from crm.personal_places import PERSONAL as OF_CRM
from kernel.personal import COMMON, Personal
from speech.personal_places import PERSONAL as OF_SPEECH
from telephony.personal_places import PERSONAL as OF_TELEPHONY

_OF_THE_SHELL = Personal(
    innocent={
        "accounts and devices of who works here": (
            *("user_account.*", "user_session.*", "user_device.*", "api_token.*"),
        ),
        "an answer that is repeated for a day and then swept": ("api_answer.*",),
        "the journal: kept whole, or its chain breaks; the person is told": ("audit_record.*",),
        "facts on their way, and what went wrong with them": ("consumed_fact.*", "failed_fact.*"),
        "the menus of the centre": ("ivr_*",),
        "what is listened for, and the company's own words": (
            *("speech_rule_set.*", "speech_rule_version.*", "speech_phrase.*"),
        ),
    }
)
PERSONAL = COMMON + OF_CRM + OF_TELEPHONY + OF_SPEECH + OF_CALLBACKS + _OF_THE_SHELL
