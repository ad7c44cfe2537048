"""Letters of institutions in several scripts, and of unusual names."""

from datetime import date
from typing import Any
from uuid import UUID

from letters.documents import Letter, LetterDocument, Signatory, compose
from tests.letters.documents.pictures import drawing

UUID_OF_LETTER = UUID("e818febc-3996-5370-8644-f378e2fbec9e")
ADDRESS = f"https://credentials.northbridge.example.edu/letter/program/{UUID_OF_LETTER}/verify/"
LOGO, SIGNATURE = drawing(780, 200), drawing()
TEXT = """This letter certifies that **{name}** has completed *{program}*, a program of four courses, and met every requirement that the faculty set for it.

The program demanded:

- a passing grade in each of its **core courses**,
- two courses of an elective set, and
  1. a supervised project (the *"capstone"*),
  2. its defence.

Issued on {date}."""
PARAGRAPH = "A paragraph that tells what was learned, at some length, so that it takes two sheets."


def document(**changes: Any) -> LetterDocument:
    """An English letter with everything that a letter can have, changed as said."""
    letter: dict[str, Any] = {
        "uuid": UUID_OF_LETTER,
        "recipient_name": "Ada Lovelace",
        "program_title": "Digital Product Design",
        "issued_on": date(2024, 5, 14),
        "verification_url": ADDRESS,
        "header": "# Northbridge University\nOffice of the Registrar",
        "text": TEXT,
        "footer": "Grades are kept by the *registrar*.",
        "logo": LOGO,
        "signatories": (
            Signatory("Prof. Grace Hopper", ("Dean", "Northbridge University"), SIGNATURE),
            Signatory("Dr. Alan Turing", ("Director, Digital Programs",)),
        ),
    }
    return compose(Letter(**letter | changes))


def arabic_document() -> LetterDocument:
    return document(
        recipient_name="أحمد بن علي الخوارزمي",
        program_title="علم البيانات",
        header="# جامعة الجسر الشمالي",
        text="تشهد هذه الرسالة بأن **{name}** قد أتم برنامج {program} (Data Science) بنجاح.\n\n1. المقررات\n2. مشروع التخرج\n\n{date}",
        footer="",
        signatories=(Signatory("الدكتورة فاطمة", ("عميدة الكلية",), SIGNATURE),),
    )


def chinese_document() -> LetterDocument:
    return document(
        recipient_name="王小明",
        program_title="数据科学实践",
        header="# 北桥大学\n教务处",
        text="兹证明 **{name}** 已完成《{program}》项目的全部课程。" * 4
        + "\n\n- 核心课程\n- 畢業設計\n\n{date}",
        footer="",
        signatories=(Signatory("张伟教授", ("工程学院院长",), SIGNATURE),),
    )


def long_document() -> LetterDocument:
    """Words without an end, six signatories, two sheets."""
    names = ("Grace Hopper", "X" * 60, "علي بن سعيد", "王小明", "A. B.", "Alan Turing")
    title = "Dean of Engineering and of a faculty with a very long name"
    return document(
        recipient_name="W" * 200,
        program_title=f"{'M' * 100} and so on",
        text=f"## Courses\n\n### {'H' * 90}\n\n- {'w' * 120} {{name}}\n  - {{name}}\n\n{PARAGRAPH}",
        signatories=tuple(
            Signatory(name, (title,), SIGNATURE if index % 2 else None)
            for index, name in enumerate(names)
        ),
    )
