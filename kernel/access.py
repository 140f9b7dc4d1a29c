"""Who may do what: roles, permissions, the one table between them, and the person who acts.

The web's routes declare a permission; the services check it once more with the :class:`Actor` they are given,
so that no other way in goes round it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from kernel.errors import Forbidden


class Role(StrEnum):
    """What a person or a token is in the centre (domain.md §0, roles)."""

    AGENT = "agent"
    """Customer service specialist 客服专员."""
    SUPERVISOR = "supervisor"
    """Shift supervisor 班长."""
    MANAGER = "manager"
    """Manager of the supervision department 客服经理."""
    DEPARTMENT_HEAD = "department_head"
    """Head of a responsible department, or the named deputy 责任部门主管."""
    DEPARTMENT_MEMBER = "department_member"
    """Person in a responsible department who handles cases 相关部门人员."""
    CAPTAIN = "captain"
    """Repair captain inside customer service 维修队长."""
    GENERAL_MANAGER = "general_manager"
    """总经理."""
    FINANCE = "finance"
    """财务."""
    HR = "hr"
    """人力资源部."""
    ADMINISTRATOR = "administrator"
    """Runs the system 系统管理员."""


class Permission(StrEnum):
    """One thing that may be allowed. The value appears in the audit log and in the API's description."""

    DESK_USE = "desk.use"
    """Take calls: the agent's page, signing in to queues, pausing, wrap-up."""
    BOARD_VIEW = "board.view"
    """The supervisor's live board."""
    SCREENS_MANAGE = "screens.manage"
    """Let a big screen on the wall show the figures, and take it away."""
    CALLS_VIEW = "calls.view"
    """The history of calls and a call's time line."""
    CALLS_LISTEN = "calls.listen"
    """Listen to calls in progress, whisper to the agent, barge in, take over."""
    CALLS_DIAL = "calls.dial"
    """Call a number that a page shows, with the own telephone."""
    QUEUES_VIEW = "queues.view"
    AGENTS_VIEW = "agents.view"
    AGENTS_DIRECT = "agents.direct"
    """Pause, free and sign out agents, change their queues, send them messages, limit pauses."""
    CUSTOMERS_VIEW = "customers.view"
    CUSTOMERS_EDIT = "customers.edit"
    """Write down a new customer or correct one."""
    CUSTOMERS_MERGE = "customers.merge"
    """Merge duplicates, and undo it; set the level; thaw."""
    DATA_IMPORT = "data.import"
    """Import customers and projects from files."""
    PROJECTS_VIEW = "projects.view"
    PROJECTS_EDIT = "projects.edit"
    """Register projects, stages, crews."""
    PROJECTS_CORRECT = "projects.correct"
    """Take a stage back, with reason."""
    PAYMENTS_POST = "payments.post"
    STAFF_EDIT = "staff.edit"
    """Stores, departments, staff, crews."""
    CALLBACKS_WORK = "callbacks.work"
    """See who asked to be called back, with their numbers, and note that it was done."""
    CAMPAIGNS_VIEW = "campaigns.view"
    """See campaigns, their attempts, and why calls were not made."""
    CAMPAIGNS_RUN = "campaigns.run"
    """Write campaigns, import their lists, start, pause and stop them: all that makes telephones ring."""
    CASES_VIEW = "cases.view"
    """See cases: all of them, or the own department's for its people."""
    CASES_VIEW_ALL = "cases.view_all"
    """See the cases of every department."""
    CASES_REGISTER = "cases.register"
    """Write down complaints, repairs, tickets; hand them off; call back; close."""
    CASES_WORK = "cases.work"
    """Work on the department's part: accept or reject, verify, plan, visit, done."""
    CASES_SIGN = "cases.sign"
    """Sign for a hand-off to the own department."""
    CASES_DECIDE = "cases.decide"
    """Not filed, waivers, overrides, conversion against the rule: the manager alone."""
    CASES_CONFIDENTIAL = "cases.confidential"
    """See every complaint about integrity; without it, only those that one wrote down or has in charge."""
    RED_LIST_VIEW = "red_list.view"
    IMPROVEMENTS_SET = "improvements.set"
    """Set measures against what keeps going wrong, change and drop them."""
    IMPROVEMENTS_CHECK = "improvements.check"
    """Say whether a measure had an effect; never one's own report."""
    DUTY_PLAN = "duty.plan"
    """Say who is on duty on which day and shift."""
    ESCALATIONS_SUBMIT = "escalations.submit"
    ESCALATIONS_HANDLE = "escalations.handle"
    COMPENSATION_REQUEST = "compensation.request"
    COMPENSATION_REVIEW = "compensation.review"
    """Decide who bears the cost, approve the amount; never the own request."""
    VOUCHERS_WRITE = "vouchers.write"
    """Vouchers and payment of what was approved."""
    RECOVERY_HANDLE = "recovery.handle"
    """The share that a person bears, at payroll."""
    REPAIRS_WORK = "repairs.work"
    """Repairs routed to the captain or the own crews: contact, appointment, visit, cost sheet."""
    REPAIRS_ROUTE = "repairs.route"
    MATERIALS_EDIT = "materials.edit"
    """The catalogue of materials that cost sheets pick from."""
    COSTS_SIGN_SERVICE = "costs.sign_service"
    COSTS_SIGN_COMPANY = "costs.sign_company"
    DEPOSITS_VIEW = "deposits.view"
    DEPOSITS_POST = "deposits.post"
    KNOWLEDGE_VIEW = "knowledge.view"
    KNOWLEDGE_EDIT = "knowledge.edit"
    QUESTIONNAIRES_VIEW = "questionnaires.view"
    """What customers are asked when they are called back, and what follows from their answers."""
    QUESTIONNAIRES_EDIT = "questionnaires.edit"
    """Write drafts of questionnaires."""
    QUESTIONNAIRES_PUBLISH = "questionnaires.publish"
    """Put a draft in force."""
    SPEECH_RULES_VIEW = "speech_rules.view"
    """What is listened for in conversations."""
    SPEECH_RULES_EDIT = "speech_rules.edit"
    """Change what is listened for, put it in force, add the company's own words."""
    ROUTING_VIEW = "routing.view"
    """Where callers go, and why."""
    ROUTING_EDIT = "routing.edit"
    """Change where callers go."""
    LINE_MESSAGES_SWITCH = "line_messages.switch"
    """Tell callers something before they wait: an emergency, a holiday."""
    DESK_CONFIGURE = "desk.configure"
    """Change what agents choose from: what became of a call."""
    QUALITY_SCORE = "quality.score"
    """Judge calls by the form, answer disputes, see everybody's judgements."""
    QUALITY_CONFIGURE = "quality.configure"
    """Change the form, and which calls are drawn."""
    LIMITS_VIEW = "limits.view"
    LIMITS_CONFIGURE = "limits.configure"
    NOTICES_ADMINISTER = "notices.administer"
    """Outgoing messages that failed, rules, addresses."""
    EXPORT = "data.export"
    """Take lists out as files."""
    PHONES_FULL = "phones.full"
    """See whole phone numbers everywhere, not only of the caller one is talking to."""
    RECORDINGS_PLAY = "recordings.play"
    RECORDINGS_DOWNLOAD = "recordings.download"
    """Take a recording away as a file, with a reason that is written down."""
    PRIVACY_HANDLE = "privacy.handle"
    """Requests of people about their own data: take down, answer, refuse; hand out their copy."""
    USERS_MANAGE = "users.manage"
    TOKENS_MANAGE = "tokens.manage"
    AUDIT_VIEW = "audit.view"
    METRICS_VIEW = "metrics.view"
    SYSTEM_VIEW = "system.view"
    """How the installation is: the doctor's findings, versions, room; and have it looked at again."""


_P = Permission
_AGENT = frozenset(
    {
        _P.DESK_USE,
        _P.CALLS_VIEW,
        _P.CALLS_DIAL,
        _P.QUEUES_VIEW,
        _P.AGENTS_VIEW,
        _P.CUSTOMERS_VIEW,
        _P.CUSTOMERS_EDIT,
        _P.PROJECTS_VIEW,
        _P.PROJECTS_EDIT,
        _P.CALLBACKS_WORK,
        _P.CASES_VIEW,
        _P.CASES_VIEW_ALL,
        _P.CASES_REGISTER,
        _P.ESCALATIONS_SUBMIT,
        _P.REPAIRS_ROUTE,
        _P.KNOWLEDGE_VIEW,
        _P.QUESTIONNAIRES_VIEW,
        _P.LIMITS_VIEW,
    }
)
_SUPERVISOR = _AGENT | {
    _P.BOARD_VIEW,
    _P.CALLS_LISTEN,
    _P.AGENTS_DIRECT,
    _P.SCREENS_MANAGE,
    _P.PHONES_FULL,
    _P.RECORDINGS_PLAY,
    _P.KNOWLEDGE_EDIT,
    _P.PRIVACY_HANDLE,
    _P.CAMPAIGNS_VIEW,
    _P.CAMPAIGNS_RUN,
    _P.DUTY_PLAN,
    _P.SPEECH_RULES_VIEW,
    _P.ROUTING_VIEW,
    _P.LINE_MESSAGES_SWITCH,
    _P.QUALITY_SCORE,
}
_MANAGER = _SUPERVISOR | {
    _P.RECORDINGS_DOWNLOAD,
    _P.CUSTOMERS_MERGE,
    _P.DATA_IMPORT,
    _P.PROJECTS_CORRECT,
    _P.STAFF_EDIT,
    _P.CASES_DECIDE,
    _P.CASES_CONFIDENTIAL,
    _P.RED_LIST_VIEW,
    _P.IMPROVEMENTS_SET,
    _P.IMPROVEMENTS_CHECK,
    _P.MATERIALS_EDIT,
    _P.ESCALATIONS_HANDLE,
    _P.COMPENSATION_REQUEST,
    _P.COSTS_SIGN_SERVICE,
    _P.DEPOSITS_VIEW,
    _P.QUESTIONNAIRES_EDIT,
    _P.QUESTIONNAIRES_PUBLISH,
    _P.SPEECH_RULES_EDIT,
    _P.ROUTING_EDIT,
    _P.QUALITY_CONFIGURE,
    _P.LIMITS_CONFIGURE,
    _P.DESK_CONFIGURE,
    _P.EXPORT,
}
_MEMBER = frozenset(
    {
        _P.CASES_VIEW,
        _P.CASES_WORK,
        _P.KNOWLEDGE_VIEW,
        _P.QUESTIONNAIRES_VIEW,
        _P.LIMITS_VIEW,
        _P.PROJECTS_VIEW,
    }
)
_SEES = frozenset({_P.CUSTOMERS_VIEW, _P.PROJECTS_VIEW, _P.CASES_VIEW, _P.CASES_VIEW_ALL, _P.LIMITS_VIEW})

GRANTS: dict[Role, frozenset[Permission]] = {
    Role.AGENT: _AGENT,
    Role.SUPERVISOR: _SUPERVISOR,
    Role.MANAGER: _MANAGER,
    Role.DEPARTMENT_MEMBER: _MEMBER,
    Role.DEPARTMENT_HEAD: _MEMBER | {_P.CASES_SIGN, _P.MATERIALS_EDIT},
    Role.CAPTAIN: _MEMBER | {_P.CASES_SIGN, _P.REPAIRS_WORK, _P.REPAIRS_ROUTE, _P.DEPOSITS_VIEW},
    Role.GENERAL_MANAGER: _SEES
    | {
        _P.BOARD_VIEW,
        _P.CAMPAIGNS_VIEW,
        _P.CASES_CONFIDENTIAL,
        _P.RED_LIST_VIEW,
        _P.IMPROVEMENTS_CHECK,
        _P.COMPENSATION_REVIEW,
        _P.COSTS_SIGN_COMPANY,
        _P.DEPOSITS_VIEW,
        _P.KNOWLEDGE_VIEW,
        _P.QUESTIONNAIRES_VIEW,
        _P.EXPORT,
    },
    Role.FINANCE: frozenset(
        {
            _P.PROJECTS_VIEW,
            _P.PAYMENTS_POST,
            _P.VOUCHERS_WRITE,
            _P.DEPOSITS_VIEW,
            _P.DEPOSITS_POST,
            _P.CASES_VIEW,
            _P.CASES_VIEW_ALL,
        }
    ),
    Role.HR: frozenset({_P.CASES_VIEW, _P.CASES_VIEW_ALL, _P.RECOVERY_HANDLE}),
    # Runs the system, and may look at all that is not confidential; business decisions and signatures are
    # the roles' own.
    Role.ADMINISTRATOR: frozenset(Permission)
    - {
        _P.CASES_CONFIDENTIAL,
        _P.CASES_SIGN,
        _P.CASES_DECIDE,
        _P.CASES_WORK,
        _P.REPAIRS_WORK,
        _P.PROJECTS_CORRECT,
        _P.ESCALATIONS_HANDLE,
        _P.COMPENSATION_REQUEST,
        _P.COMPENSATION_REVIEW,
        _P.VOUCHERS_WRITE,
        _P.RECOVERY_HANDLE,
        _P.COSTS_SIGN_SERVICE,
        _P.COSTS_SIGN_COMPANY,
        _P.DEPOSITS_POST,
        _P.PAYMENTS_POST,
    },
}
"""The one table. ``docs/`` renders it; ``tests/unit/web/test_permissions.py`` spells it out again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The person, program or timer that does something.

    Attributes:
        user_id: ULID of the user or token; ``system`` for our own timers and imports.
        name: as records show it.
        role: ``None`` for the system, which may do everything.
        department: code of the department the person belongs to.
        ip: where the request came from; empty for the system.
    """

    user_id: str
    name: str
    role: Role | None
    department: str | None = None
    ip: str = ""

    @classmethod
    def system(cls, name: str) -> Self:
        """Return an actor for what nobody did by hand; ``name`` says which part did it."""
        return cls(user_id="system", name=name, role=None)

    def can(self, permission: Permission) -> bool:
        """Tell whether the role grants ``permission``."""
        return self.role is None or permission in GRANTS[self.role]

    def need(self, permission: Permission) -> None:
        """Raise Forbidden unless the role grants ``permission``."""
        if not self.can(permission):
            raise Forbidden(f"needs the permission {permission}", permission=permission.value)

    def in_department(self, code: str | None) -> bool:
        """Tell whether the person belongs to the department, or sees every one."""
        return self.can(Permission.CASES_VIEW_ALL) or (code is not None and code == self.department)
