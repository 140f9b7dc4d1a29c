"""Who sees confidential lines: complaints about integrity are for the manager (domain.md §4.3)."""

from kernel.access import Actor, Permission

_INSIDERS = (Permission.CASES_REGISTER, Permission.CASES_DECIDE, Permission.COMPENSATION_REVIEW)


def sees_confidential(actor: Actor) -> bool:
    """Tell whether somebody sees confidential lines and their hand-offs.

    Departments do not; nor do finance and HR, who see every case for the money in it: the one who is accused
    may sit among them.
    """
    return actor.can(Permission.CASES_VIEW_ALL) and any(actor.can(permission) for permission in _INSIDERS)
