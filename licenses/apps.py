from django.apps import AppConfig


class LicensesConfig(AppConfig):
    name = "licenses"
    verbose_name = "Subscription licenses"

    def ready(self) -> None:
        from credentials_portal.core.outbox import OutboxKind, register
        from licenses import personal, receivers  # noqa: F401 - they register and connect
        from licenses.deliveries import lms
        from licenses.deliveries.mail import deliver_license_mails
        from licenses.services.notices import LICENSE_MAIL

        register(OutboxKind(name=LICENSE_MAIL, deliver=deliver_license_mails, repeatable=False))
        for kind in lms.KINDS:
            register(kind)
