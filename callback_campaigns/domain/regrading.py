"""A task whose customer or case weighs more, or less, than when it was planned (domain.md §3.0, §3.5)."""

from dataclasses import replace

from callback_campaigns.domain.plan_rules import TypeRule
from callback_campaigns.domain.task import IN_CALL, WAITING, Moved, Task
from callback_campaigns.domain.terms import Channel
from crm.domain.customer import Level
from crm.domain.machine import IllegalStep


def regraded(task: Task, rule: TypeRule, *, level: Level, severity: int | None) -> Moved:
    """Return a task that waits with the customer's level of now, asked by a person where the rules want one.

    What a person is to ask stays a person's: somebody chose that, or the system reached nobody.

    Raises:
        IllegalStep: it would be asked otherwise, and a call about it is on.
    """
    channel = rule.channel_for(level, severity) if task.channel is Channel.IVR else task.channel
    after = replace(task, level=level, channel=channel)
    if task.status in IN_CALL and after != task:
        raise IllegalStep("the customer is just being called about this", field="task_id")
    return Moved(after if task.status in WAITING else task)
