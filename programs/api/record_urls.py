"""The old paths of records, with and without the slash exactly as their clients ask for them."""

from django.urls import path, re_path

from programs.api import record_actions, record_pages, records

PROGRAM, SHARED = (rf"(?P<{name}>[0-9a-f]{{32}})" for name in ("program_hex", "shared_hex"))

urlpatterns = [
    path("records/api/v1/program_records/", records.ProgramRecordList.as_view()),
    path(
        "records/api/v1/program_records/<str:written_uuid>/",
        records.ProgramRecordDetail.as_view(),
    ),
    path("records/programs/<str:program_hex>/share", record_actions.ShareRecord.as_view()),
    path("records/programs/<str:program_hex>/send", record_actions.SendRecord.as_view()),
    re_path(
        rf"^records/programs/shared/{SHARED}/csv$",
        record_pages.shared_program_record_csv,
        name="shared_program_record_csv",
    ),
    path("records/", record_pages.records),
    re_path(rf"^records/programs/{PROGRAM}/$", record_pages.program_record),
    re_path(
        rf"^records/programs/shared/{SHARED}/$",
        record_pages.shared_program_record,
        name="shared_program_record",
    ),
]
