from django.core.paginator import Page
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from credentials_portal.api.pagination import CountedPaginator, WirePagination, page_number
from programs.selectors.certificates import Asked, ListedCertificate, certificate_page


class CertificatePagination(WirePagination):
    """`{count, next, previous, results}`, 20 to a page."""

    page_size = 20

    def paginate_asked(self, asked: Asked, request: Request) -> list[ListedCertificate]:
        """The certificates of the page that the request names. Raises `NotFound`."""
        number = page_number(request.query_params.get(self.page_query_param, "1"))
        found = certificate_page(asked, offset=(number - 1) * self.page_size, limit=self.page_size)
        if number > 1 and not found.certificates:
            raise NotFound("Invalid page.")
        paginator = CountedPaginator(found.certificates, self.page_size, known_count=found.count)
        self.request = request
        self.page = Page(found.certificates, number, paginator)
        return found.certificates
