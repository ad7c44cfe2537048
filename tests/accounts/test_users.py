import pytest

from credentials_portal.accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def lena() -> User:
    lena: User = User.objects.create(username="Lena", email="Lena@Example.org")
    return lena


@pytest.mark.parametrize("login", ["Lena", "lena@example.org", " LENA@example.ORG "])
def test_finds_a_person_by_name_or_address(lena: User, login: str) -> None:
    User.objects.create(username="other", email="other@example.org")

    assert list(User.objects.by_login(login)) == [lena]


@pytest.mark.parametrize("login", ["", " ", "lena", "Lena@", "example.org"])
def test_finds_nobody_by_less(lena: User, login: str) -> None:
    """Above all not those without an address by an empty one."""
    User.objects.create(username="mute", email="")

    assert not User.objects.by_login(login).exists()
