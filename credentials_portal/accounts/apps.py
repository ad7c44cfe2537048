from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "credentials_portal.accounts"
    label = "accounts"
    verbose_name = "People"

    def ready(self) -> None:
        from credentials_portal.accounts import personal, roles  # noqa: F401 - personal registers

        post_migrate.connect(roles.create_groups, dispatch_uid="accounts.create_groups")
