"""What a learner agrees to when their record is sent."""

from django.conf import settings
from django.utils.translation import gettext

from programs.models import Pathway


def consent_words(pathway: Pathway) -> str:
    """The pathway's own words, else the portal's, in the reader's language."""
    return pathway.consent_text or gettext(
        "I agree that %(platform)s sends my program record, with my name, my username and my"
        " e-mail address, to %(institution)s."
    ) % {"platform": settings.PLATFORM_NAME, "institution": pathway.institution}
