from django.apps import AppConfig


class LettersConfig(AppConfig):
    name = "letters"
    verbose_name = "Program letters"

    def ready(self) -> None:
        from letters import personal, receivers  # noqa: F401 - they register and connect
