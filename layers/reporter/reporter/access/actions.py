"""Which action each route is. A route that stands in no row here is nobody's: it is denied."""

from collections.abc import Mapping

ACTIONS: Mapping[tuple[str, str], str] = {
    ("POST", "/v1/reports"): "reports:post",
    ("GET", "/v1/reports"): "reports:get",
    ("GET", "/v1/reports/{id}"): "reports:get",
    ("DELETE", "/v1/reports/{id}"): "reports:delete",
    ("GET", "/v1/reports/{id}/download"): "reports:get",
    ("POST", "/v1/reports/{id}/cancel"): "reports:post",
    ("POST", "/v1/reports/{id}/retry"): "reports:post",
    ("GET", "/v1/limits"): "reports:get",
    ("POST", "/v1/templates"): "templates:post",
    ("POST", "/v1/templates/preview"): "templates:post",
    ("GET", "/v1/templates"): "templates:get",
    ("GET", "/v1/templates/{id}"): "templates:get",
    ("GET", "/v1/templates/{id}/content"): "templates:get",
    ("PATCH", "/v1/templates/{id}"): "templates:patch",
    ("DELETE", "/v1/templates/{id}"): "templates:delete",
    ("GET", "/v1/data-sources"): "data-source:get",
    ("GET", "/v1/data-sources/{id}"): "data-source:get",
}
"""(method, API Gateway resource) → action, as a token's claim names it."""

OPEN_ROUTES = frozenset({("GET", "/health"), ("GET", "/openapi.json")})
