"""Lists come in pages: `{count, next, previous, results}`."""

from rest_framework.pagination import PageNumberPagination

from hub.limits.registry import PAGE_SIZE, PAGE_SIZE_MAX, REJECTIONS_PAGE_SIZE, REJECTIONS_PAGE_SIZE_MAX


class Pages(PageNumberPagination):
    page_size = PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = PAGE_SIZE_MAX


class RejectionPages(Pages):
    page_size = REJECTIONS_PAGE_SIZE
    max_page_size = REJECTIONS_PAGE_SIZE_MAX
