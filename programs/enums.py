from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ProgramStatus(TextChoices):
    """Open edX Discovery's states of a program."""

    ACTIVE = "active", _("active")
    RETIRED = "retired", _("retired")
    DELETED = "deleted", _("deleted")
    UNPUBLISHED = "unpublished", _("unpublished")


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
