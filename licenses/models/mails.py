"""What administrators write around the portal's own words in mails to learners."""

from django.db import models


class MailWording(models.Model):
    """A greeting and a closing, kept once for all the mails that carry them."""

    greeting = models.TextField(blank=True)
    closing = models.TextField(blank=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"wording {self.pk}"
