"""The sandbox's own pages under `/_sandbox/`: health, and the planned faults."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from opsctl_sandbox.faults.on_the_wire import Faults
from opsctl_sandbox.wire.http import Answer, Request

# A page takes the request's JSON body (None for GET), or the rest of the path below a `/`, and
# returns the answer. KeyError and ValueError are the caller's mistakes.
Page = Callable[[Any], Any]


class ControlPages:
    def __init__(self, faults: Faults, pages: Mapping[str, Page]) -> None:
        self._faults = faults
        self._pages: dict[str, Page] = {
            "/_sandbox/health": lambda body: {"status": "ok"},
            "/_sandbox/faults": self._plan,
            **pages,
        }

    def answer(self, request: Request) -> Answer:
        page = self._page(request.path)
        if page is None:
            return _json(404, {"error": "no such page", "pages": sorted(self._pages)})
        try:
            body = json.loads(request.body or b"null") if request.method == "POST" else None
            return _json(200, page(body))
        except (ValueError, TypeError, KeyError) as error:
            return _json(400, {"error": str(error)})

    def _page(self, path: str) -> Page | None:
        """Return a page by its path, or by the longest path ending in `/` that begins it."""
        if path in self._pages:
            return self._pages[path]
        below = [name for name in self._pages if name.endswith("/") and path.startswith(name)]
        if not below:
            return None
        name = max(below, key=len)
        return lambda body: self._pages[name](path.removeprefix(name))

    def _plan(self, body: Any) -> Any:
        if body is not None:
            self._faults.plan(body)
        return self._faults.state()


def _json(status: int, content: Any) -> Answer:
    return Answer(status, {"content-type": "application/json"}, json.dumps(content).encode())
