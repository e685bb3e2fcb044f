"""The one outgoing HTTP client."""


class HttpClient:
    """requests with bounds; see the methods."""
