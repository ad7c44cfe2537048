"""New usernames of learners, as the job of the LMS tells that replaces them everywhere."""

from http import HTTPStatus
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from credentials_portal.accounts.services import rename_account
from credentials_portal.api.wire import is_storable
from programs.api.v2 import documentation
from programs.api.v2.permissions import IsReplacementWorker
from programs.api.v2.serializers import UsernamesSerializer
from programs.api.v2.views import FromTheLms


class ReplaceUsernames(FromTheLms):
    permission_classes = [IsReplacementWorker]
    serializer_class = UsernamesSerializer

    @documentation.REPLACE_USERNAMES
    def post(self, request: Request) -> Response:
        pairs = _pairs(request.data)
        if pairs is None:
            return Response(status=HTTPStatus.BAD_REQUEST)
        successful: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for username, new_username in pairs:
            is_done = _replace(username, new_username)
            (successful if is_done else failed).append({username: new_username})
        answer = {"successful_replacements": successful, "failed_replacements": failed}
        return Response(answer)


def _pairs(body: Any) -> list[tuple[str, Any]] | None:
    """Old and new usernames; None where the body is not made of such pairs."""
    mappings = body.get("username_mappings") if isinstance(body, dict) else None
    if not isinstance(mappings, list):
        return None
    if not all(isinstance(one, dict) and len(one) == 1 for one in mappings):
        return None
    return [pair for one in mappings for pair in one.items()]


def _replace(username: str, new_username: Any) -> bool:
    if not isinstance(new_username, str) or not is_storable(username):
        return False
    return rename_account(username=username, new_username=new_username)
