from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ProgramStatus(TextChoices):
    """Open edX Discovery's states of a program."""

    ACTIVE = "active", _("active")
    RETIRED = "retired", _("retired")
    DELETED = "deleted", _("deleted")
    UNPUBLISHED = "unpublished", _("unpublished")


# Of programs that learners are shown, and that pathways take requests about.
LISTED = (ProgramStatus.ACTIVE, ProgramStatus.RETIRED)


class CertificateStatus(TextChoices):
    AWARDED = "awarded", _("awarded")
    REVOKED = "revoked", _("revoked")


class CertificateSource(TextChoices):
    COMPUTED = "computed", _("computed by the portal")
    LMS = "lms", _("sent by the LMS")
    STAFF = "staff", _("given by staff")
    IMPORT = "import", _("imported")


class RevocationKind(TextChoices):
    """Why a program certificate was revoked."""

    NOT_COMPLETE = "not_complete", _("the portal: the program is not complete any more")
    DECIDED = "decided", _("a decision, with its reason")


class GroupKind(TextChoices):
    CORE = "core", _("core: all of its courses")
    ELECTIVES = "electives", _("electives: some of its courses")


class PathwayType(TextChoices):
    """Open edX Discovery's types of a pathway: only credit pathways take requests."""

    CREDIT = "credit", _("credit")
    INDUSTRY = "industry", _("industry")


class PathwayStatus(TextChoices):
    PUBLISHED = "published", _("published")
    UNPUBLISHED = "unpublished", _("unpublished")
    RETIRED = "retired", _("retired")


class ShareKind(TextChoices):
    """Who a link to a record was made for."""

    LINK = "link", _("anyone whom the learner gives it")
    CREDIT_REQUEST = "credit_request", _("the institution that was asked for credit")


class ShareEnd(TextChoices):
    """Why a link to a record is dead before its expiry."""

    REVOKED = "revoked", _("the learner revoked it")
    ROTATED = "rotated", _("the learner replaced it by another")
    EXPIRED = "expired", _("its time was over")
    WITHDRAWN = "withdrawn", _("the request was withdrawn")
    STAFF = "staff", _("staff revoked it")
    RETIRED = "retired", _("the learner left the portal")


class CreditRequestStatus(TextChoices):
    """Whether a request reached its institution. `other` is an old row that says nothing of it."""

    QUEUED = "queued", _("waiting to be sent")
    SENT = "sent", _("sent")
    FAILED = "failed", _("could not be sent")
    WITHDRAWN = "withdrawn", _("withdrawn")
    OTHER = "other", _("unknown")


class CreditRequestSource(TextChoices):
    WEB = "web", _("the learner, on the portal's pages")
    API = "api", _("the learner, by the API")
    STAFF = "staff", _("staff, for the learner")
    IMPORT = "import", _("imported")


class CreditAnswer(TextChoices):
    RECEIVED = "received", _("received")
    GRANTED = "granted", _("credit granted")
    REFUSED = "refused", _("credit refused")


class RowReason(TextChoices):
    """Why a course of a record does not count."""

    NOT_AVAILABLE_UNTIL = "not_available_until", _("its certificate is not available yet")
    REVOKED = "revoked", _("its certificate was revoked")
    EXCLUDED_RUN = "excluded_run", _("it was taken in a run that the program does not include")
    UNVERIFIED = "unverified", _("its grade is not verified")
    NO_CERTIFICATE = "no_certificate", _("it was passed, but no certificate was awarded")
    NOT_FINAL = "not_final", _("its grade is not final yet")
    NOT_PASSED = "not_passed", _("it was not passed")
    NO_GRADE = "no_grade", _("there is no grade")
