"""The list says of every certificate what records say: whether learners see it."""

import pytest
from hypothesis import HealthCheck, given, settings

from programs.enums import CertificateStatus
from programs.selectors.certificates import OF_PROGRAM, OF_RUN, Asked, certificate_page
from tests.programs.factories import AT
from tests.programs.records import oracle
from tests.programs.records.test_oracle import built, worlds

pytestmark = pytest.mark.django_db


@given(world=worlds)
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_visible_agrees_with_the_oracle(world: oracle.World) -> None:
    with built(world) as (_program, users):
        for user, learner in zip(users, world.learners, strict=True):
            asked = Asked(user_id=user.pk, status=CertificateStatus.AWARDED, visible_at=AT)
            found = certificate_page(asked, offset=0, limit=20).certificates

            shown = {one.run_key for one in found if one.type == OF_RUN}
            assert shown == {
                str(number)
                for number, attempt in learner.attempts.items()
                if attempt.certificate
                and attempt.certificate.is_awarded
                and oracle.is_visible(world.runs[number], attempt, AT)
            }
            of_program = [one for one in found if one.type == OF_PROGRAM]
            assert bool(of_program) == oracle.is_completed(world, learner, AT)
