from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "credentials_portal.web"
    label = "web"
    verbose_name = "Portal"
