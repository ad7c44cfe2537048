from django.apps import AppConfig


class LettersConfig(AppConfig):
    name = "letters"
    verbose_name = "Letters"

    def ready(self) -> None:
        from credentials_portal.core.outbox import OutboxKind, register
        from letters import personal, receivers  # noqa: F401 - they register and connect
        from letters.deliveries import deliver_letter_mails
        from letters.services.notices import LETTER_MAIL

        register(OutboxKind(name=LETTER_MAIL, deliver=deliver_letter_mails, repeatable=False))
