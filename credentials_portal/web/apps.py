from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "credentials_portal.web"
    label = "web"
    verbose_name = "Portal"

    def ready(self) -> None:
        # These need the app registry.
        from credentials_portal.core import outbox
        from credentials_portal.web.deliveries import deliver_password_links
        from credentials_portal.web.services import PASSWORD_RESET

        outbox.register(
            outbox.OutboxKind(name=PASSWORD_RESET, deliver=deliver_password_links, repeatable=False)
        )
