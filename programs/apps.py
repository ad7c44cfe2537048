from django.apps import AppConfig


class ProgramsConfig(AppConfig):
    name = "programs"
    verbose_name = "Programs and records"

    def ready(self) -> None:
        from programs import personal, receivers  # noqa: F401 - they register and connect
