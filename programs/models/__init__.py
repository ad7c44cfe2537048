from programs.models.catalog import (
    Course,
    CourseMode,
    CourseOwner,
    CourseRun,
    Organization,
    Program,
    ProgramAuthor,
    ProgramCourseRun,
)
from programs.models.certificates import (
    CourseCertificate,
    CourseCertificateConfiguration,
    ProgramCertificate,
    ProgramCertificateConfiguration,
)
from programs.models.learners import CourseEnrollment, CourseGrade, ProgramEnrollment
from programs.models.pathways import Pathway, PathwayProgram, UserCreditPathway
from programs.models.records import SharedProgramRecord, SharedRecordViewCount
from programs.models.requirements import (
    ProgramRequirementsVersion,
    RequirementCourse,
    RequirementGroup,
)

__all__ = [
    "Course",
    "CourseCertificate",
    "CourseCertificateConfiguration",
    "CourseEnrollment",
    "CourseGrade",
    "CourseMode",
    "CourseOwner",
    "CourseRun",
    "Organization",
    "Pathway",
    "PathwayProgram",
    "Program",
    "ProgramAuthor",
    "ProgramCertificate",
    "ProgramCertificateConfiguration",
    "ProgramCourseRun",
    "ProgramEnrollment",
    "ProgramRequirementsVersion",
    "RequirementCourse",
    "RequirementGroup",
    "SharedProgramRecord",
    "SharedRecordViewCount",
    "UserCreditPathway",
]
