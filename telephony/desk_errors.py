"""Why the desk does not do what is asked of it."""

from kernel.errors import Conflict, Invalid, NotFound


class AgentUnknown(NotFound):
    """There is no such agent, or they work here no more."""

    code = "agent_unknown"


class NotSignedIn(Conflict):
    """The agent has not signed in."""

    code = "agent_not_signed_in"


class AgentChanged(Conflict):
    """The agent is in another state than whoever acts has seen."""

    code = "agent_changed"


class PauseReasonUnknown(Invalid):
    """No such pause reason, or none that a person may pick."""

    code = "pause_reason_unknown"
