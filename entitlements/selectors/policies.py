"""Which policy an entitlement is made under."""

from django.conf import settings
from django.contrib.sites.models import Site
from django.db.models import F, Q
from django.db.models.functions import Length
from django.http.request import split_domain_port

from entitlements.enums import EntitlementMode, PolicyMode
from entitlements.models import CourseEntitlementPolicy

POLICY_MODES = {EntitlementMode.NO_ID_PROFESSIONAL: PolicyMode.PROFESSIONAL}


def site_of(host: str) -> int:
    """The site whose policies count where this address is asked, such as `shop.example.org:8000`.

    A site may be kept with its port or without; where there is none it is that of `SITE_ID`.
    """
    domain, _port = split_domain_port(host)
    asked = Site.objects.filter(Q(domain__iexact=host) | Q(domain__iexact=domain))
    default: int = settings.SITE_ID
    return asked.order_by(Length("domain").desc()).values_list("pk", flat=True).first() or default


def policy_for(*, mode: str, site_id: int | None) -> CourseEntitlementPolicy | None:
    """The most specific policy in force: of site and mode, of the site, of the mode, of all.

    None: the built-in periods apply. Without a site those of sites do not.
    """
    fitting = CourseEntitlementPolicy.objects.filter(
        Q(site=None) | Q(site=site_id),
        Q(mode=None) | Q(mode=POLICY_MODES.get(EntitlementMode(mode), mode)),
        superseded_at=None,
    )
    # Only PostgreSQL's "nulls last" puts what is meant for all behind what is not.
    specific_first = (F("site").asc(nulls_last=True), F("mode").asc(nulls_last=True))
    return fitting.order_by(*specific_first).first()
