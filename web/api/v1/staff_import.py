"""``/api/v1/staff/import``: a sheet of staff is checked, or checked and written."""

from pydantic import Field

from crm.importing.report_file import english
from crm.importing.sheet import MAX_BYTES
from crm.importing.staff import MAX_STAFF, StaffReport
from web.api.files import Upload, upload
from web.api.operation import Call
from web.api.v1.imports import ImportProblem
from web.api.v1.people import services
from web.api.v1.people_schemas import Body
from web.api.v1.schemas import NoQuery, Out
from web.permissions import Permission


class StaffImportForm(Body):
    """What comes with the file."""

    write: bool = Field(default=False, description="Write it down when every row is good; else only check.")


class StaffImportOut(Out):
    """What an import of staff did, or would do."""

    rows: int
    bad: int
    new: int
    changed: int
    unchanged: int
    written: bool
    problems: tuple[ImportProblem, ...] = Field(description="Row by row, at most 500.")


def _out(report: StaffReport) -> StaffImportOut:
    problems = []
    for item in report.problems:
        what, mend = english(item.code)
        problems.append(
            ImportProblem(
                row=item.row,
                column=item.column,
                code=item.code,
                value=item.value,
                problem=what,
                what_to_do=mend,
                is_warning=item.is_warning,
            )
        )
    figures = {name: getattr(report, name) for name in set(StaffImportOut.model_fields) - {"problems"}}
    return StaffImportOut.model_validate(figures | {"problems": problems})


@upload(
    form=StaffImportForm,
    response=StaffImportOut,
    permission=Permission.STAFF_EDIT,
    max_bytes=MAX_BYTES,
    summary="Import a sheet of staff",
    description=f"CSV or `.xlsx` of at most {MAX_STAFF} rows with 姓名 and 岗位, and where known 部门, 店面, "
    "电话, 工号, 技能, 在职. All of it or nothing is written; the same sheet again changes nothing.",
    tag="organisation",
)
async def import_staff(call: Call[NoQuery], sent: Upload) -> StaffImportOut:
    """Check a sheet of staff, and write it."""
    form = sent.form
    assert isinstance(form, StaffImportForm)
    staff = services(call.request).staff_import
    return _out(await staff.run(call.actor, sent.content, sent.name, write=form.write))


ROUTES = (("POST", "/staff/import", import_staff),)
