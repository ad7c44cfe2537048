from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "credentials_portal.api"
    label = "api"
    verbose_name = "API"

    def ready(self) -> None:
        from credentials_portal.api import schema  # noqa: F401 - registers the extension
