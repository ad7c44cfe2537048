from django.apps import AppConfig


class EntitlementsConfig(AppConfig):
    name = "entitlements"
    verbose_name = "Course entitlements"

    def ready(self) -> None:
        from credentials_portal.core.outbox import register
        from entitlements import personal, receivers  # noqa: F401 - they register and connect
        from entitlements.deliveries import enrollments, mail, refunds

        for kind in (*enrollments.KINDS, *mail.KINDS, *refunds.KINDS):
            register(kind)
