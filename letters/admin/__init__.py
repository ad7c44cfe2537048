"""Letters in the admin: looked at by staff, changed by decisions that call the services."""

from letters.admin import letters, runs, templates, waivers

__all__ = ["letters", "runs", "templates", "waivers"]
