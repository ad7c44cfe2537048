from django.apps import AppConfig


class LettersConfig(AppConfig):
    name = "letters"
    verbose_name = "Program letters"

    def ready(self) -> None:
        from letters import receivers  # noqa: F401 - connects the receivers
