from celery import shared_task
from django.core.management import call_command


@shared_task(name="letters.revalidate_letters")
def revalidate_letters() -> None:
    """Look at the queued letters; the same command that cron calls, with its lock."""
    call_command("revalidate_letters")
