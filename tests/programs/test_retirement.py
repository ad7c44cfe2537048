import pytest

from credentials_portal.accounts.services import retire_user
from credentials_portal.core.history import rows_without_true_history, save_with_history
from programs.models import CourseCertificate, ProgramCertificate, ProgramRequirementsVersion
from programs.services import define_requirements, revoke_program_certificates
from tests.programs.factories import (
    AT,
    BY,
    CourseCertificateFactory,
    GradeFactory,
    LearnerFactory,
    ProgramCertificateFactory,
    ProgramFactory,
)

pytestmark = pytest.mark.django_db


def reasons() -> dict[int, str]:
    return dict(ProgramCertificate.objects.values_list("user_id", "revocation_reason"))


def test_forgets_what_staff_wrote_about_whoever_leaves() -> None:
    program = ProgramFactory.create()
    learner = LearnerFactory.create(username="ada")
    witness, incomplete = LearnerFactory.create_batch(2)
    for user in (learner, witness):
        ProgramCertificateFactory.create(user=user, program=program)
    ProgramCertificateFactory.create(user=incomplete, program=program, revoked=True)
    for user, reason in ((learner, "copied from a friend"), (witness, "wrote the thesis of ada")):
        revoke_program_certificates(program=program, user_ids=[user.pk], reason=reason, by=BY)
    define_requirements(program=program, groups=[], by=BY, note="as ada asked")

    retire_user(user=learner, at=AT, actor=None, reason="asked for it")

    assert reasons() == {
        learner.pk: "***",
        witness.pk: "wrote the thesis of ***",
        incomplete.pk: "",
    }
    assert ProgramRequirementsVersion.objects.get().note == "as *** asked"
    past = ProgramCertificate.history.exclude(revocation_reason="")
    assert set(past.values_list("revocation_reason", flat=True)) == {
        "***",
        "wrote the thesis of ***",
    }
    assert rows_without_true_history(ProgramCertificate) == 0


def test_forgets_what_an_lms_wrote_with_the_certificates_of_whoever_leaves() -> None:
    learner, other = LearnerFactory.create_batch(2)
    words = [{"name": "whitelist_reason", "value": "was ill"}]
    for user in (learner, other):
        for factory in (CourseCertificateFactory, ProgramCertificateFactory):
            certificate = factory.create(user=user, attributes=words)
            save_with_history(certificate, by=BY)

    retire_user(user=learner, at=AT, actor=None, reason="asked for it")

    for model in (CourseCertificate, ProgramCertificate):
        for rows in (model.objects, model.history):
            kept = dict(rows.values_list("user_id", "attributes"))
            assert kept == {learner.pk: [], other.pk: words}
        assert rows_without_true_history(model) == 0


def test_keeps_what_the_learner_earned() -> None:
    grade = GradeFactory.create()
    certificate = CourseCertificateFactory.create(user=grade.user)

    retire_user(user=grade.user, at=AT, actor=None, reason="asked for it")

    grade.refresh_from_db()
    certificate.refresh_from_db()
    assert (grade.user_id, certificate.user_id) == (certificate.user_id, grade.user_id)
    assert grade.user.username == f"retired__user_{grade.user_id}"
