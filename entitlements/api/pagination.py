from credentials_portal.api.pagination import CountedPagination, PositionPagination


class EntitlementPagination(CountedPagination, PositionPagination):
    """50 to a page, or up to 100 as the caller wishes, and where in the list the page stands."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 100
