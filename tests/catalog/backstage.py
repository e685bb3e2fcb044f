"""A running Backstage's catalog API, as far as an import asks it, over real HTTP."""

import json
from urllib.parse import parse_qs, urlsplit

from tests.catalog.webserver import WebServer

API = "/api/catalog/entities"
ORIGIN = "backstage.io/managed-by-origin-location"


def entity(document: dict, file: str = "", **annotations: str) -> dict:
    """The document as Backstage gives it out: with all that it adds by itself."""
    name = document["metadata"]["name"]
    place = f"url:https://github.com/acme/{file or name}/tree/main/catalog-info.yaml"
    added = {
        "backstage.io/managed-by-location": place,
        ORIGIN: "bootstrap:bootstrap",
        "backstage.io/view-url": place.removeprefix("url:").replace("/tree/", "/blob/"),
        "backstage.io/edit-url": place.removeprefix("url:").replace("/tree/", "/edit/"),
        **annotations,
    }
    own = document["metadata"].get("annotations", {})
    return {
        **document,
        "metadata": {
            **document["metadata"],
            "namespace": document["metadata"].get("namespace", "default"),
            "uid": f"uid-of-{name}",
            "etag": "4a5b",
            "annotations": {**own, **added},
        },
        "relations": [{"type": "ownedBy", "targetRef": "group:default/x"}],
        "status": {"items": []},
    }


class Backstage:
    """Answers by-query by cursor, and entities by offset; misbehaves as it is told."""

    def __init__(self, site: WebServer, *entities: dict, by_query: bool = True) -> None:
        self.site = site
        self.entities = list(entities)
        self.by_query = by_query
        self.token = ""
        self.fail_from = 10**9  # the number of the page that fails
        self.status = 500
        self.asked: list[dict[str, list[str]]] = []
        site.fallback = self._answer

    def _answer(self, handler) -> None:
        parts = urlsplit(handler.path)
        query = parse_qs(parts.query)
        self.asked.append(query)
        status, body = self._page(parts.path, query, handler.headers["Authorization"] or "")
        data = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json; charset=utf-8")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _page(self, path: str, query: dict, authorization: str) -> tuple[int, object]:
        error = {"error": {"name": "Error", "message": "no"}}
        if self.token and authorization != f"Bearer {self.token}":
            return 401, error
        if len(self.asked) >= self.fail_from:
            return self.status, error
        limit = int(query["limit"][0])
        if path == API:
            start = int(query.get("offset", ["0"])[0])
            return 200, self.entities[start : start + limit]
        if path != f"{API}/by-query" or not self.by_query:
            return 404, error
        start = int(query.get("cursor", ["0"])[0])
        items = self.entities[start : start + limit]
        more = {"nextCursor": str(start + limit)} if start + limit < len(self.entities) else {}
        return 200, {"items": items, "totalItems": len(self.entities), "pageInfo": more}
