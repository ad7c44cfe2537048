from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "credentials_portal.core"
    label = "core"
    verbose_name = "Operations"

    def ready(self) -> None:
        from credentials_portal.core import checks  # noqa: F401 - registers the checks
