"""Where learners read about the course that they asked for."""

from urllib.parse import quote

from django.conf import settings
from django.urls import reverse

from subsidy_requests.models import SubsidyRequest


def next_step_url(request: SubsidyRequest) -> str:
    """The page of the course, or what the learner has on the portal where no course is known."""
    if not settings.COURSE_PAGE_URL or not request.course_id:
        return f"{settings.PORTAL_BASE_URL}{reverse('access')}"
    page: str = settings.COURSE_PAGE_URL
    page = page.replace("{customer}", request.customer.slug)
    return page.replace("{course}", quote(request.course_id, safe=":+"))


def names_course_page(request: SubsidyRequest) -> bool:
    """Whether `next_step_url` is the page of a course."""
    return bool(settings.COURSE_PAGE_URL and request.course_id)
