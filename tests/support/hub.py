"""A stand-in for the Hugging Face hub: the parts of its protocol by which a file is fetched."""

from __future__ import annotations

import hashlib
import http.server
import threading
from typing import Any


class Hub:
    """A hub on this machine, with one repository of one file; it can break off a transfer."""

    commit = "c0ffee" + "0" * 34

    def __init__(self, repository: str, content: bytes) -> None:
        self.content = content
        self.budget: int | None = None  # bytes that may still be sent
        self.ranges: list[str | None] = []
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(body=False)

            def do_GET(self) -> None:
                self._answer(body=True)

            def _answer(self, body: bool) -> None:
                wanted = (
                    f"/{repository}/resolve/main/model.safetensors",
                    f"/{repository}/resolve/{hub.commit}/model.safetensors",
                )
                if self.path not in wanted:
                    self.send_response(404)
                    self.send_header("X-Error-Code", "EntryNotFound")
                    self.end_headers()
                    return
                asked = self.headers.get("Range") if body else None
                start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
                part = hub.content[start:]
                self.send_response(206 if asked else 200)
                self.send_header("Content-Length", str(len(part)))
                if asked:
                    total = len(hub.content)
                    self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
                self.send_header("ETag", f'"{hashlib.sha256(hub.content).hexdigest()}"')
                self.send_header("X-Repo-Commit", hub.commit)
                self.end_headers()
                if body:
                    hub.ranges.append(asked)
                    part = part[: hub.budget]
                    if hub.budget is not None:
                        hub.budget -= len(part)
                    self.wfile.write(part)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self.server.shutdown()
        self.server.server_close()
