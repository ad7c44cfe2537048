"""Settings, read from the environment; every default suits one machine with nothing but Python.

`core.checks` refuses the combinations that cannot work; the operator's guide lists the variables.
"""

from datetime import timedelta
from pathlib import Path

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from credentials_portal import devdb
from credentials_portal.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- What kind of installation this is -------------------------------------------------------
DEMO = env.bool("PORTAL_DEMO", False)
DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "")
INSECURE_SECRET_KEY = "insecure-key-of-a-machine-that-serves-nobody-else"
if not SECRET_KEY:
    SECRET_KEY = INSECURE_SECRET_KEY
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
PORTAL_BASE_URL = env.str("PORTAL_BASE_URL", f"http://localhost:{env.str('PORT', '8000')}")
PLATFORM_NAME = env.str("PLATFORM_NAME", "Credentials Portal")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.sites",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "oauth2_provider",
    "rest_framework",
    "simple_history",
    "credentials_portal.core",
    "credentials_portal.accounts",
    "credentials_portal.api",
    "programs",
    "letters",
    "licenses",
    "entitlements",
    "subsidy_requests",
    "credentials_portal.web",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "credentials_portal.web.middleware.RequestLog",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "credentials_portal.web.middleware.ReadersTimeZone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "credentials_portal.web.middleware.AdminContentSecurityPolicy",
    "credentials_portal.web.middleware.ErrorPages",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "credentials_portal.urls"
WSGI_APPLICATION = "credentials_portal.wsgi.application"
ASGI_APPLICATION = "credentials_portal.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "credentials_portal.web.context.portal",
            ],
        },
    },
]

# The site whose policies entitlements get when no other site's address is asked.
SITE_ID = env.int("SITE_ID", 1)

# --- Database --------------------------------------------------------------------------------
# Web requests wait 5 seconds for a lock; jobs raise it to 30 (core.commands).
DATABASE_URL = env.str("DATABASE_URL", "") or devdb.url()
# Where session locks live; a pooler in transaction mode cannot hold them, nor cursors.
DATABASE_DIRECT_URL = env.str("DATABASE_DIRECT_URL", "") or DATABASE_URL
DATABASES = {"default": env.db_url_config(DATABASE_URL)}
DATABASES["default"] |= {
    "ATOMIC_REQUESTS": False,
    "CONN_MAX_AGE": env.int("DATABASE_CONN_MAX_AGE", 60),
    "CONN_HEALTH_CHECKS": True,
    "DISABLE_SERVER_SIDE_CURSORS": DATABASE_DIRECT_URL != DATABASE_URL,
    "TEST": {"NAME": env.str("TEST_DATABASE_NAME", "") or None},
    "OPTIONS": {
        "connect_timeout": 10,
        **DATABASES["default"].get("OPTIONS", {}),
        "options": "-c lock_timeout=5s -c statement_timeout=60s"
        " -c idle_in_transaction_session_timeout=60s"
        # To compile a rule's many branches takes PostgreSQL longer than to answer by them.
        " -c jit=off"
        # Its own figure is for disks that turn: few rows of a big table would be sought in all.
        " -c random_page_cost=1.1",
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Cache, tasks, mail ----------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", "")
CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            # Made by a migration of core.
            "LOCATION": "portal_cache",
            # Django's 300 would drop counters of throttles and sign-in attempts.
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    )
}

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "")
CELERY_TASK_ALWAYS_EAGER = not CELERY_BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A request that nudges a worker does not wait for a broker that is down (core.outbox).
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_connect_timeout": 2,
    # A Redis that accepts connections and says nothing.
    "socket_timeout": 2,
    "max_retries": 0,
}

# What an installation without cron runs: the same commands, on the clock of `celery beat`.
CELERY_BEAT_SCHEDULE = {
    "deliver_outbox": {"task": "core.deliver_outbox", "schedule": 60},
} | {
    " ".join(command): {"task": "core.run_command", "args": command, "schedule": schedule}
    for command, schedule in (
        (("revalidate_letters",), crontab(minute="*/10")),
        (("reconcile_entitlement_enrollments", "--queued"), crontab(minute="*/10")),
        (("retry_failed_requests",), crontab(minute="25")),
        (("process_renewals",), crontab(hour="*/6", minute="15")),
        (("award_program_certificates",), crontab(hour="1", minute="30")),
        (("revalidate_letters", "--sweep"), crontab(hour="2", minute="5")),
        (("expire_subscriptions", "--with-unlink"), crontab(hour="2", minute="30")),
        (("reconcile_entitlement_enrollments",), crontab(hour="2", minute="40")),
        (("expire_old_entitlements", "--commit"), crontab(hour="2", minute="50")),
        (("retire_old_licenses",), crontab(hour="3", minute="0")),
        (("remind_entitlement_expiry",), crontab(hour="3", minute="10")),
        (("expire_record_shares",), crontab(hour="3", minute="15")),
        (("expire_stale_requests",), crontab(hour="3", minute="20")),
        (("check_history",), crontab(hour="3", minute="30")),
        (("purge_outbox",), crontab(hour="4", minute="0")),
        (("purge_job_runs",), crontab(hour="4", minute="10")),
        (("send_new_request_digests",), crontab(hour="6", minute="0")),
        # Django's and django-oauth-toolkit's own: what nobody can use any more.
        (("clearsessions",), crontab(hour="4", minute="20")),
        (("cleartokens",), crontab(hour="4", minute="30")),
    )
}

DATA_DIR = devdb.data_dir()
MAIL_DIR = DATA_DIR / "mail"
EMAIL_URL = env.str("EMAIL_URL", "")
if EMAIL_URL:
    vars().update(env.email_url_config(EMAIL_URL))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = MAIL_DIR
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "no-reply@localhost")

# --- People ----------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = reverse_lazy("login")
LOGIN_REDIRECT_URL = reverse_lazy("home")
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 1
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
# axes' own table would keep user names and addresses; the cache forgets them.
AXES_HANDLER = "axes.handlers.cache.AxesCacheHandler"
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False
AXES_CLIENT_IP_CALLABLE = "credentials_portal.api.throttling.client_address"
AXES_LOCKOUT_TEMPLATE = "registration/locked_out.html"

# --- Language and time -----------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
TIME_ZONE = "UTC"
USE_I18N = True
FORMAT_MODULE_PATH = "credentials_portal.formats"
USE_TZ = True

# --- Static files ----------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_MANIFEST = env.bool("STATIC_MANIFEST", False)
# Collected files are served only with their manifest, else each app's own.
STATIC_ROOT = (
    Path(env.str("STATIC_ROOT", str(BASE_DIR / "staticfiles"))) if STATIC_MANIFEST else None
)
WHITENOISE_USE_FINDERS = not STATIC_MANIFEST
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", str(DATA_DIR / "media")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if STATIC_MANIFEST
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}

# --- Security --------------------------------------------------------------------------------
HTTPS = PORTAL_BASE_URL.startswith("https://")
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", 0)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY_COUNT else None
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health/$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 31_536_000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 60 * 60 * 24 * 14
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "credentials_portal.web.errors.csrf_failure"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
        "img-src": [SELF, "data:"],
    }
}

# --- Administration --------------------------------------------------------------------------
UNFOLD = {
    "SITE_TITLE": PLATFORM_NAME,
    "SITE_HEADER": PLATFORM_NAME,
    "SITE_SUBHEADER": _("Administration"),
    "SITE_SYMBOL": "workspace_premium",
    "SITE_URL": reverse_lazy("home"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("web/icon.svg")}
    ],
    "DASHBOARD_CALLBACK": "credentials_portal.web.dashboard.dashboard",
    "SIDEBAR": {"navigation": "credentials_portal.web.sidebar.navigation"},
    "STYLES": [lambda _request: static("web/admin.css")],
    "LOGIN": {"image": lambda _request: static("web/sign-in.svg")},
    "BORDER_RADIUS": "6px",
    # The accent colour of web/portal.css, from light to dark.
    "COLORS": {
        "primary": {
            shade: f"oklch({lightness}% {chroma} 236)"
            for shade, lightness, chroma in (
                ("50", 97.5, 0.01),
                ("100", 94.5, 0.022),
                ("200", 89, 0.045),
                ("300", 80, 0.075),
                ("400", 68, 0.095),
                ("500", 56, 0.095),
                ("600", 44.5, 0.085),
                ("700", 39, 0.075),
                ("800", 34, 0.06),
                ("900", 29, 0.05),
                ("950", 21, 0.035),
            )
        }
    },
}

# --- API -------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "credentials_portal.api.authentication.PortalAuthentication"
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "credentials_portal.api.pagination.PagePagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": ["credentials_portal.api.answers.JSONAnswer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "credentials_portal.api.errors.exception_handler",
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%SZ",
    "DEFAULT_THROTTLE_CLASSES": ["credentials_portal.api.throttling.AddressThrottle"],
    "DEFAULT_THROTTLE_RATES": {"address": env.str("ANONYMOUS_API_RATE", "120/min")},
    "NUM_PROXIES": TRUSTED_PROXY_COUNT,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Credentials Portal API",
    "DESCRIPTION": "Program records, letters, entitlements, licenses and subsidy requests.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "CertificateStatus": "programs.enums.CertificateStatus",
        "EntitlementStatus": "entitlements.enums.EntitlementStatus",
        "LetterState": "letters.enums.LetterState",
        "LicenseStatus": "licenses.enums.LicenseStatus",
        "SubsidyRequestState": "subsidy_requests.api.serializers.STATES",
        "SupportAction": "entitlements.enums.SupportAction",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Without this the page asks a public validator about our schema.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
}
OAUTH2_PROVIDER = {
    "SCOPES": {"read": "Read", "write": "Write"},
    "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
    "OAUTH2_VALIDATOR_CLASS": "credentials_portal.api.oauth.ServiceValidator",
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "ALLOW_URI_WILDCARDS": False,
    # All of RFC 9700, the current best practice: tokens are stored as hashes, for one.
    **{
        f"COMPLIANT_BCP_RFC9700_{practice}": True
        for practice in (
            "IMPLICIT_GRANT",
            "PASSWORD_GRANT",
            "PKCE_METHOD",
            "ACCESS_TOKEN_TRANSPORT",
            "AUTHZ_RESPONSE_ISS",
            "TOKEN_STORAGE",
            "REFRESH_TOKEN",
            "REDIRECT_URI_SCHEME",
            "REDIRECT_URI_MATCHING",
            "PKCE_REQUIRED",
        )
    },
}

# --- Letters ---------------------------------------------------------------------------------
# How long a letter that fails stays active after the first sign of trouble.
LETTER_SUSPENSION_GRACE = timedelta(hours=env.int("LETTER_SUSPENSION_GRACE_HOURS", 24))
# How many letters of one program the machine may issue, or suspend, within 24 hours.
LETTER_BREAKER_LIMIT = env.int("LETTER_BREAKER_LIMIT", 50)

# --- Program records -------------------------------------------------------------------------
# The learner record front end of Open edX; without it the portal shows its own pages.
LEARNER_RECORD_MFE_RECORDS_PAGE_URL = env.str("LEARNER_RECORD_MFE_RECORDS_PAGE_URL", "")
RECORDS_HELP_URL = env.str("RECORDS_HELP_URL", "")
# How often a learner, or staff for one, may send records, and how often make links.
RECORDS_RATE_LIMIT = env.str("RECORDS_RATE_LIMIT", "15/min")
# How many requests for credit a learner may make within 30 days.
CREDIT_REQUESTS_PER_MONTH = env.int("CREDIT_REQUESTS_PER_MONTH", 20)
# From whom an institution gets mail; empty: no-reply at the portal's own host.
PARTNER_FROM_ADDRESS = env.str("PARTNER_FROM_ADDRESS", "")
# The account of the LMS that tells of changed usernames.
USERNAME_REPLACEMENT_WORKER = env.str("USERNAME_REPLACEMENT_WORKER", "")
# The Discovery service that `copy_catalog` reads.
CATALOG_BASE_URL = env.str("CATALOG_BASE_URL", "")
CATALOG_TIMEOUT_SECONDS = env.float("CATALOG_TIMEOUT_SECONDS", 30.0)
if CATALOG_BASE_URL:
    CELERY_BEAT_SCHEDULE["copy_catalog"] = {
        "task": "core.run_command",
        "args": ("copy_catalog",),
        "schedule": crontab(hour="1", minute="0"),
    }

# --- Entitlements ----------------------------------------------------------------------------
# Without an order service refunds are opened here, and staff pay them by hand.
ORDERS_BASE_URL = env.str("ORDERS_BASE_URL", "")
ORDERS_TIMEOUT_SECONDS = env.float("ORDERS_TIMEOUT_SECONDS", 10.0)
# For how long a reissued entitlement can be used at least.
ENTITLEMENT_REISSUE_PERIOD = timedelta(days=env.int("ENTITLEMENT_REISSUE_PERIOD_DAYS", 90))
# From when on pages show the end of an entitlement as a warning.
ENTITLEMENT_EXPIRED_ALERT_PERIOD = timedelta(
    days=env.int("ENTITLEMENT_EXPIRED_ALERT_PERIOD_DAYS", 90)
)

# --- Licenses --------------------------------------------------------------------------------
# Without an LMS the portal keeps the links itself, and what it would have sent can be seen.
LMS_BASE_URL = env.str("LMS_BASE_URL", "")
LMS_CLIENT_ID = env.str("LMS_CLIENT_ID", "")
LMS_CLIENT_SECRET = env.str("LMS_CLIENT_SECRET", "")
LMS_TIMEOUT_SECONDS = env.float("LMS_TIMEOUT_SECONDS", 30.0)
# Customers by uuid whose learners are unlinked as if their agreements said so.
CUSTOMERS_WITH_EXPIRED_LICENSES_UNLINKING_ENABLED = env.list(
    "CUSTOMERS_WITH_EXPIRED_LICENSES_UNLINKING_ENABLED", default=[]
)
# Who looks after customers: hears when a plan's revocation cap is reached.
CUSTOMER_SUCCESS_EMAIL = env.str("CUSTOMER_SUCCESS_EMAIL", "")

# --- Subsidy requests ------------------------------------------------------------------------
# Where a course is described, such as https://learn.example.org/{customer}/course/{course}.
# Empty: mails and pages lead to what the learner has on the portal.
COURSE_PAGE_URL = env.str("COURSE_PAGE_URL", "")
# After so many days requests end that nobody answered; 0: never.
SUBSIDY_REQUESTS_EXPIRE_AFTER_DAYS = env.int("SUBSIDY_REQUESTS_EXPIRE_AFTER_DAYS", 0)

LOGGING = logging_config(
    json_lines=env.bool("LOG_JSON", not (DEMO or DEBUG)), level=env.str("LOG_LEVEL", "INFO")
)
