from django.apps import AppConfig


class ProgramsConfig(AppConfig):
    name = "programs"
    verbose_name = "Programs and records"

    def ready(self) -> None:
        from credentials_portal.core.outbox import register
        from programs import checks, personal, receivers  # noqa: F401 - they register and connect
        from programs.deliveries import institutions, learners

        for kind in (*institutions.KINDS, *learners.KINDS):
            register(kind)
