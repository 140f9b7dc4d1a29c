"""Messages after the tone: whose they are, by what was said."""

from dataclasses import dataclass
from enum import StrEnum

from crm.domain.classification import Nature, Tables, Urgency, classify
from crm.domain.spoken import SURE, Opinion, Spoken


class Route(StrEnum):
    """Who calls back."""

    COMPLAINT = "complaint"
    REPAIR = "repair"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Routed:
    """Whose a message is; ``urgent`` where there is danger."""

    route: Route
    urgent: bool = False


def route_of(spoken: Spoken, tables: Tables) -> Routed:
    """Return whose a message is.

    What is broken is repaired, unless the caller complains of it: says so, threatens, or names what is no
    matter of repairs (class 1 is workmanship, and may be either).
    """
    if not spoken.text:
        return Routed(Route.OTHER)
    looks = classify(spoken.text, tables)
    urgent = looks.urgency is Urgency.EMERGENCY
    if looks.sure and looks.nature is Nature.COMPLAINT:
        return Routed(Route.COMPLAINT, urgent)
    unhappy = spoken.opinion is Opinion.DISSATISFIED and spoken.sure >= SURE
    if unhappy and (spoken.severity > 1 or (spoken.class_code or 1) > 1):
        return Routed(Route.COMPLAINT, urgent)
    if urgent or (looks.sure and looks.nature is Nature.REPAIR) or unhappy:
        return Routed(Route.REPAIR, urgent)
    return Routed(Route.OTHER)
