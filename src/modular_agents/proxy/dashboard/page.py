"""The built page: the files that lay in one folder when it was built, and nothing else can be asked for.

A request names a key of a table, never a path of the disk. Every address of the page itself (`/traces/…`) gets `index.html`.
"""

import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from modular_agents.proxy.dashboard.answers import plain_page

STATIC = Path(__file__).parent / "static"
"""Written by `make web`, and part of the wheel."""
_HASHED = "/assets/"
"""Vite puts the hash of its content into the name of every file in here, so such a file never changes."""
_KINDS = {".js": "text/javascript", ".woff2": "font/woff2", ".map": "application/json", ".webmanifest": "application/manifest+json"}
NOT_BUILT = plain_page(
    "The page has not been built yet",
    (
        "This is a source checkout: the page is TypeScript and is built once, with Node or without it on your PATH.",
        "The API and the WebSocket of this dashboard work meanwhile.",
        "make web",
    ),
    503,
)


@dataclass(frozen=True, slots=True)
class _Built:
    stamp_ns: int
    files: dict[str, Path]


class Page:
    """Answers for everything outside the API. Looks again when the page is built anew under a running dashboard."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._folder = folder
        self._built = _Built(0, {})

    def answer(self, path: str) -> Response:
        """Return the answer for a raw path. Reads one file of at most a few hundred kB."""
        index = self._folder / "index.html"
        try:
            stamp_ns = index.stat().st_mtime_ns
        except OSError:
            return NOT_BUILT
        if stamp_ns != self._built.stamp_ns:
            files = {f"/{file.relative_to(self._folder).as_posix()}": file for file in self._folder.rglob("*") if file.is_file()}
            self._built = _Built(stamp_ns, files)
        file = self._built.files.get(path)
        if file is None and path.startswith(_HASHED):
            return plain_page("There is no such file", ("The page was built anew: reload it.",), 404)
        return self._send(file or index)

    def _send(self, file: Path) -> Response:
        kind = _KINDS.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        forever = file.parent == self._folder / _HASHED.strip("/")
        headers = {"cache-control": "private, max-age=31536000, immutable" if forever else "no-cache"}
        try:
            return Response(file.read_bytes(), headers=headers, media_type=kind)
        except OSError:
            return NOT_BUILT
