from django.urls import URLPattern, URLResolver, include, path, re_path

from programs.views import (
    answering,
    asking,
    certificates,
    credit_requests,
    record_json,
    records,
    sharing,
)

of_link = [
    path("change/", sharing.change, name="change_program_record_link"),
    path("replace/", sharing.rotate, name="rotate_program_record_link"),
    path("revoke/", sharing.revoke, name="revoke_program_record_link"),
]

of_program: list[URLPattern | URLResolver] = [
    path("record.csv", records.own_record_csv, name="program_record_csv"),
    path("record.json", record_json.own_record_json, name="program_record_json"),
    path("credit/", asking.ask, name="request_credit"),
    path("share/", sharing.share, name="share_program_record"),
    path("share/<uuid:link_uuid>/", include(of_link)),
]

of_credit_request = [
    path("", credit_requests.credit_request, name="credit_request"),
    path("withdraw/", credit_requests.withdraw, name="withdraw_credit_request"),
]

urlpatterns = [
    re_path(
        r"^credentials/(?P<certificate_hex>[0-9a-f]{32})/$",
        certificates.certificate,
        name="certificate",
    ),
    path(
        "programs/shared/<uuid:link_uuid>/", records.shared_record_page, name="shared_record_page"
    ),
    path("programs/<uuid:program_uuid>/", include(of_program)),
    path("credit-requests/", credit_requests.credit_requests, name="credit_requests"),
    path("credit-requests/answer/<str:token>/", answering.answer, name="answer_credit_request"),
    path("credit-requests/<uuid:request_uuid>/", include(of_credit_request)),
]
