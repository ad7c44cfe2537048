from django.apps import AppConfig


class SubsidyRequestsConfig(AppConfig):
    name = "subsidy_requests"
    verbose_name = "Subsidy requests"

    def ready(self) -> None:
        from credentials_portal.core.outbox import register
        from subsidy_requests import personal, receivers  # noqa: F401 - they register and connect
        from subsidy_requests.deliveries import mail

        for kind in mail.KINDS:
            register(kind)
