"""What the columns of `programs` hold about persons; `services.forget_learner` erases it."""

from credentials_portal.core.personal import register

CATALOG = "public: what is taught, and by which institution"
LMS_WORD = "a word of the LMS"

register.holds_personal(
    programs__CourseCertificate__attributes="emptied on the person's own certificates",
    programs__ProgramCertificate__attributes="emptied on the person's own certificates",
    programs__ProgramCertificate__revocation_reason=(
        "replaced by *** on the person's own certificates, elsewhere erased by name"
    ),
    programs__ProgramRequirementsVersion__note="erased by name",
    programs__UserCreditPathway__on_behalf_reason=(
        "replaced by *** on the person's own requests, elsewhere erased by name"
    ),
    programs__UserCreditPathway__answer_note=(
        "replaced by *** on the person's own requests, elsewhere erased by name"
    ),
)
register.holds_nothing_personal(
    programs__Organization__key=CATALOG,
    programs__Organization__name=CATALOG,
    programs__Organization__certificate_logo_image_url=CATALOG,
    programs__Course__key=CATALOG,
    programs__Course__title=CATALOG,
    programs__CourseRun__key=CATALOG,
    programs__CourseRun__title_override=CATALOG,
    programs__Program__title=CATALOG,
    programs__Program__type=CATALOG,
    programs__RequirementGroup__title=CATALOG,
    programs__ProgramCertificateConfiguration__title=CATALOG,
    programs__ProgramCertificateConfiguration__language="a code of a language",
    programs__Pathway__name=CATALOG,
    programs__Pathway__org_name=CATALOG,
    programs__Pathway__contact_name="whom an institution names to be written to",
    programs__Pathway__email="an institution's address",
    programs__Pathway__consent_text="an institution's words",
    programs__UserCreditPathway__consent_text="an institution's words",
    programs__UserCreditPathway__record_fingerprint="a checksum",
    programs__UserCreditPathway__failure="a code",
    programs__CourseEnrollment__certificate_status=LMS_WORD,
    programs__CourseGrade__letter_grade="a grade, such as B+",
)
