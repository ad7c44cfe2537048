"""What goes wrong with the embedded server."""


class DevdbError(Exception):
    """No server can be offered; the message says why and what to do."""
