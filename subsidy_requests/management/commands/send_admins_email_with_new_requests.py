from subsidy_requests.management.commands import send_new_request_digests


class Command(send_new_request_digests.Command):
    """Prints what `send_new_request_digests` prints."""

    help = "The old service's name of send_new_request_digests."
    scheduled = False
