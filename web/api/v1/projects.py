"""``/api/v1/projects`` with stages and payments."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from crm.domain.project import Stage
from crm.domain.stages import ENDED
from crm.payments import NewPayment
from crm.project_views import ProjectRecord
from crm.projects import ProjectFilter
from crm.stages import NewStage
from kernel.errors import Invalid
from web.api.operation import Call, operation
from web.api.v1.changes import Changes
from web.api.v1.people import services
from web.api.v1.people_schemas import RecordReasonIn
from web.api.v1.projects_schemas import (
    CorrectionIn,
    DeliveryIn,
    PaymentIn,
    PaymentOut,
    ProjectAppraisalIn,
    ProjectFields,
    ProjectIn,
    ProjectOut,
    ProjectPageOut,
    ProjectRecordOut,
    ProjectsQuery,
    ResumptionIn,
    StageEventOut,
    StageIn,
    SuspensionIn,
    SuspensionOut,
)
from web.api.v1.schemas import NoQuery
from web.idempotency import Idempotency
from web.permissions import Permission

PROJECT_ID = (("project_id", "Id of the project"),)
PAYMENT_ID = (("payment_id", "Id of the payment"),)
VIEW, EDIT = Permission.PROJECTS_VIEW, Permission.PROJECTS_EDIT
CORRECT, POST = Permission.PROJECTS_CORRECT, Permission.PAYMENTS_POST
project_change = Changes(response=ProjectRecordOut, tag="projects", path_parameters=PROJECT_ID)


def stage_of(number: int) -> Stage:
    """Return the stage of a rank. Raises Invalid."""
    try:
        return Stage(number)
    except ValueError as error:
        raise Invalid(f"one of {', '.join(str(int(stage)) for stage in Stage)}", field="stage") from error


def _key(call: Call[NoQuery]) -> str:
    return call.request.match_info["project_id"]


def _record(record: ProjectRecord) -> ProjectRecordOut:
    fields = {name: getattr(record.project, name) for name in ProjectOut.model_fields}
    return ProjectRecordOut.model_validate(
        fields
        | {
            "stages": tuple(StageEventOut.model_validate(item) for item in record.stages),
            "suspensions": tuple(SuspensionOut.model_validate(item) for item in record.suspensions),
            "payments": tuple(PaymentOut.model_validate(item) for item in record.payments),
        }
    )


@operation(
    query=ProjectsQuery, response=ProjectPageOut, permission=VIEW, summary="List projects", tag="projects"
)
async def list_projects(call: Call[ProjectsQuery]) -> ProjectPageOut:
    """Return a page of projects."""
    asked = call.query
    wanted = ProjectFilter(
        customer_id=asked.customer_id,
        contract_no=asked.contract_no,
        stage=stage_of(asked.stage) if asked.stage is not None else None,
        running=asked.running,
        crew_id=asked.crew_id,
        store_id=asked.store_id,
        project_manager=asked.project_manager,
    )
    projects = services(call.request).projects
    page = await projects.page(call.actor, wanted, cursor=asked.cursor, limit=asked.limit)
    items = tuple(ProjectOut.model_validate(item) for item in page.items)
    return ProjectPageOut(items=items, next_cursor=page.next_cursor)


@operation(
    query=NoQuery,
    response=ProjectRecordOut,
    permission=EDIT,
    summary="Write a project down",
    tag="projects",
    body=ProjectIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def create_project(call: Call[NoQuery]) -> ProjectRecordOut:
    """Add a project of a customer."""
    given = call.body(ProjectIn)
    fields = given.model_dump(exclude_unset=True, exclude={"customer_id", "stage"})
    projects = services(call.request).projects
    record = await projects.create(call.actor, given.customer_id, fields, stage=stage_of(given.stage))
    return _record(record)


@operation(
    query=NoQuery,
    response=ProjectRecordOut,
    permission=VIEW,
    summary="Read a project",
    tag="projects",
    path_parameters=PROJECT_ID,
)
async def get_project(call: Call[NoQuery]) -> ProjectRecordOut:
    """Return a project with its history."""
    return _record(await services(call.request).projects.get(call.actor, _key(call)))


@project_change(
    permission=EDIT,
    summary="Change a project",
    body=ProjectFields,
)
async def change_project(call: Call[NoQuery]) -> ProjectRecordOut:
    """Change what is given."""
    fields = call.body(ProjectFields).model_dump(exclude_unset=True)
    projects = services(call.request).projects
    return _record(await projects.change(call.actor, _key(call), fields, expected=call.expected))


@project_change(
    permission=EDIT,
    summary="Register a stage",
    body=StageIn,
    idempotent=Idempotency.OPTIONAL,
)
async def register_stage(call: Call[NoQuery]) -> ProjectRecordOut:
    """Register that a stage was reached."""
    fields = call.body(StageIn).model_dump()
    step = NewStage(**(fields | {"stage": stage_of(fields["stage"])}))
    stages = services(call.request).stages
    return _record(await stages.register(call.actor, _key(call), step, expected=call.expected))


@project_change(
    permission=CORRECT,
    summary="Correct a stage, or end the project",
    description="-1 cancels, -3 terminates; a stage below the present one voids the later ones.",
    body=CorrectionIn,
)
async def correct_stage(call: Call[NoQuery]) -> ProjectRecordOut:
    """Take the project back, or end it."""
    given = call.body(CorrectionIn)
    stage, stages = stage_of(given.stage), services(call.request).stages
    move = stages.end if stage in ENDED else stages.correct
    return _record(await move(call.actor, _key(call), stage, reason=given.reason, expected=call.expected))


@project_change(
    permission=EDIT,
    summary="Suspend the work",
    body=SuspensionIn,
)
async def suspend_project(call: Call[NoQuery]) -> ProjectRecordOut:
    """Let the work stand still."""
    given = call.body(SuspensionIn)
    record = await services(call.request).stages.suspend(
        call.actor, _key(call), since=given.since, reason=given.reason, expected=call.expected
    )
    return _record(record)


@project_change(
    permission=EDIT,
    summary="Resume the work",
    body=ResumptionIn,
)
async def resume_project(call: Call[NoQuery]) -> ProjectRecordOut:
    """Let the work go on."""
    until = call.body(ResumptionIn).until
    stages = services(call.request).stages
    return _record(await stages.resume(call.actor, _key(call), until=until, expected=call.expected))


@project_change(
    permission=EDIT,
    summary="Move the hand-over on",
    body=DeliveryIn,
)
async def move_delivery(call: Call[NoQuery]) -> ProjectRecordOut:
    """Set the next state of the hand-over."""
    to = call.body(DeliveryIn).delivery_state
    stages = services(call.request).stages
    return _record(await stages.move_delivery(call.actor, _key(call), to, expected=call.expected))


@project_change(
    permission=CORRECT,
    summary="Post the project's appraisal, or go without it with a reason",
    body=ProjectAppraisalIn,
)
async def appraise_project(call: Call[NoQuery]) -> ProjectRecordOut:
    """Post what the hand-over waits for besides the completion callback."""
    given = call.body(ProjectAppraisalIn)
    stages = services(call.request).stages
    done = await stages.appraise(call.actor, _key(call), given.points, given.note, expected=call.expected)
    return _record(done)


@operation(
    query=NoQuery,
    response=ProjectRecordOut,
    permission=POST,
    summary="Post a payment",
    tag="projects",
    path_parameters=PROJECT_ID,
    body=PaymentIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def post_payment(call: Call[NoQuery]) -> ProjectRecordOut:
    """Post a payment of the customer."""
    new = NewPayment(**call.body(PaymentIn).model_dump())
    return _record(await services(call.request).payments.post(call.actor, _key(call), new))


@operation(
    query=NoQuery,
    response=ProjectRecordOut,
    permission=POST,
    summary="Ask for the mid-term payment",
    tag="projects",
    path_parameters=PROJECT_ID,
    idempotent=Idempotency.OPTIONAL,
)
async def ask_payment(call: Call[NoQuery]) -> ProjectRecordOut:
    """Send the customer the notice; the mid-term callback must have gone well, or the manager decided so."""
    return _record(await services(call.request).payment_notices.ask_midterm(call.actor, _key(call)))


@operation(
    query=NoQuery,
    response=ProjectRecordOut,
    permission=POST,
    summary="Reverse a payment",
    tag="projects",
    path_parameters=PAYMENT_ID,
    body=RecordReasonIn,
    idempotent=Idempotency.OPTIONAL,
)
async def reverse_payment(call: Call[NoQuery]) -> ProjectRecordOut:
    """Take a payment back."""
    payment_id = call.request.match_info["payment_id"]
    reason = call.body(RecordReasonIn).reason
    return _record(await services(call.request).payments.reverse(call.actor, payment_id, reason=reason))


Route = tuple[str, str, Callable[[web.Request], Awaitable[web.Response]]]
ROUTES: tuple[Route, ...] = (
    ("GET", "/projects", list_projects),
    ("POST", "/projects", create_project),
    ("GET", "/projects/{project_id}", get_project),
    ("PATCH", "/projects/{project_id}", change_project),
    ("POST", "/projects/{project_id}/stages", register_stage),
    ("POST", "/projects/{project_id}/correction", correct_stage),
    ("POST", "/projects/{project_id}/suspension", suspend_project),
    ("POST", "/projects/{project_id}/resumption", resume_project),
    ("POST", "/projects/{project_id}/delivery", move_delivery),
    ("POST", "/projects/{project_id}/appraisal", appraise_project),
    ("POST", "/projects/{project_id}/payment-notice", ask_payment),
    ("POST", "/projects/{project_id}/payments", post_payment),
    ("POST", "/payments/{payment_id}/reversal", reverse_payment),
)
