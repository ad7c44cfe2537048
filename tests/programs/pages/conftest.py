from tests.letters.conftest import mail_port, mail_server  # noqa: F401 - fixtures
