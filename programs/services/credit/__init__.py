"""Requests for credit: asked for, withdrawn, answered, and what came of their mails."""

from programs.services.credit.answering import answer_request
from programs.services.credit.asking import (
    IncompleteRecordError,
    PathwayUnavailableError,
    ReasonMissingError,
    Requested,
    request_credit,
)
from programs.services.credit.locking import RequestNotFoundError, RequestNotOpenError
from programs.services.credit.notes import NoteInvalidError
from programs.services.credit.pace import TooManyRequestsError
from programs.services.credit.withdrawing import withdraw_request

__all__ = [
    "IncompleteRecordError",
    "NoteInvalidError",
    "PathwayUnavailableError",
    "ReasonMissingError",
    "RequestNotFoundError",
    "RequestNotOpenError",
    "Requested",
    "TooManyRequestsError",
    "answer_request",
    "request_credit",
    "withdraw_request",
]
