"""The admin's sidebar: what there is, by what it is about, as far as the reader may look."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

# Each group with its lists: the model, the icon, and what people call it.
GROUPS = (
    (
        _("Letters"),
        (
            ("letters.ProgramLetter", "workspace_premium", _("Letters")),
            ("letters.LetterRevalidation", "hourglass_top", _("To look at again")),
            ("letters.LetterValidationRun", "rule", _("Plans and held runs")),
            ("letters.LetterWaiver", "handshake", _("Waivers")),
            ("letters.ProgramLetterTemplate", "article", _("Texts")),
            ("letters.ProgramLetterConfiguration", "tune", _("Settings of letters")),
        ),
    ),
    (
        _("Programs"),
        (
            ("programs.Program", "school", _("Programs")),
            ("programs.Course", "menu_book", _("Courses")),
            ("programs.CourseRun", "event", _("Course runs")),
            ("programs.Organization", "account_balance", _("Organizations")),
            ("programs.ProgramCertificate", "verified", _("Program certificates")),
            ("programs.CourseCertificate", "verified_user", _("Course certificates")),
            ("programs.UserCreditPathway", "outgoing_mail", _("Credit requests")),
            ("programs.Pathway", "alt_route", _("Credit pathways")),
            ("programs.SharedProgramRecord", "share", _("Links to records")),
            (
                "programs.ProgramCertificateConfiguration",
                "tune",
                _("Settings of program certificates"),
            ),
            (
                "programs.CourseCertificateConfiguration",
                "tune",
                _("Settings of course certificates"),
            ),
        ),
    ),
    (
        _("Entitlements"),
        (
            ("entitlements.CourseEntitlement", "confirmation_number", _("Entitlements")),
            ("entitlements.CourseEntitlementRefund", "currency_exchange", _("Refunds")),
            ("entitlements.CourseEntitlementSupportDetail", "support_agent", _("Support actions")),
            ("entitlements.CourseEntitlementRedemption", "swap_horiz", _("Uses")),
            ("entitlements.EntitlementReview", "hourglass_bottom", _("Enrollments to look at")),
            ("entitlements.CourseEntitlementPolicy", "policy", _("Policies of entitlements")),
            ("sites.Site", "language", _("Sites of policies")),
        ),
    ),
    (
        _("Licenses"),
        (
            ("licenses.Customer", "domain", _("Customers")),
            ("licenses.SubscriptionPlan", "card_membership", _("Plans")),
            ("licenses.SubscriptionPlanRenewal", "autorenew", _("Renewals")),
            ("licenses.License", "badge", _("Licenses")),
            ("licenses.CustomerAgreement", "contract", _("Agreements")),
            ("licenses.CustomerLearner", "link", _("Links to customers")),
            ("licenses.Product", "inventory_2", _("Products")),
            ("licenses.PlanType", "category", _("Types of plans")),
            ("licenses.LicenseDowngrade", "trending_down", _("Enrollments to downgrade")),
            ("licenses.LearnerUnlink", "link_off", _("Learners to unlink")),
            ("licenses.LicenseEvent", "history", _("Events of licenses")),
            ("licenses.Notification", "mail", _("Mails about seats")),
        ),
    ),
    (
        _("Requests"),
        (
            ("subsidy_requests.LicenseRequest", "pan_tool", _("Requests for licenses")),
            ("subsidy_requests.CouponCodeRequest", "sell", _("Requests for coupon codes")),
            ("subsidy_requests.Coupon", "redeem", _("Coupons")),
            (
                "subsidy_requests.SubsidyRequestCustomerConfiguration",
                "tune",
                _("What customers offer"),
            ),
        ),
    ),
    (
        _("People"),
        (
            ("accounts.User", "person", _("People")),
            ("programs.ProgramEnrollment", "how_to_reg", _("Program enrollments")),
            ("programs.CourseEnrollment", "app_registration", _("Course enrollments")),
            ("programs.CourseGrade", "grade", _("Grades")),
            ("auth.Group", "groups", _("Roles")),
        ),
    ),
    (
        _("Machinery"),
        (
            ("core.JobRun", "schedule", _("Job runs")),
            ("core.OutboxMessage", "outbox", _("Outbox messages")),
            ("core.OutboxHold", "pause_circle", _("Outbox holds")),
            ("core.OutboxBreaker", "power_off", _("Outbox breakers")),
            ("oauth2_provider.Application", "key", _("Services that call the API")),
        ),
    ),
)

# Pages that belong to a list and stand after it: the page, the icon, and what people call it.
PAGES = {
    "programs.UserCreditPathway": (("report", "bar_chart", _("Report of credit requests")),),
    "subsidy_requests.LicenseRequest": (("reports", "bar_chart", _("Reports of requests")),),
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    start = {"title": _("Start page"), "icon": "home", "link": reverse("admin:index")}
    groups = [
        (title, [entry for item in items for entry in _entries(request, *item)])
        for title, items in GROUPS
    ]
    return [{"items": [start]}] + [
        {"title": title, "items": items} for title, items in groups if items
    ]


def _entries(request: HttpRequest, label: str, icon: str, title: object) -> list[dict[str, Any]]:
    """A list and its pages, as far as the reader may look."""
    listed = admin.site.get_model_admin(apps.get_model(label))
    if not listed.has_view_permission(request):
        return []
    pages = [
        _item(label, *page)
        for page in PAGES.get(label, ())
        if getattr(listed, f"has_{page[0]}_permission")(request)
    ]
    first = _item(label, "changelist", icon, title)
    if request.path in {page["link"] for page in pages}:
        first["active"] = False
    return [first, *pages]


def _item(label: str, page: str, icon: str, title: object) -> dict[str, Any]:
    address = reverse(f"admin:{label.replace('.', '_').lower()}_{page}")
    return {"title": title, "icon": icon, "link": address}
