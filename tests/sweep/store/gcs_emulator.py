"""A Google Cloud Storage emulator process: `python -m tests.sweep.store.gcs_emulator PORT`.

`gcp-storage-emulator` with what it lacks: preconditions on XML puts, the headers of XML responses, rejection of
truncated bodies, and concurrent connections.
"""

import email.utils
import io
import sys
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import buckets
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

ONE_AT_A_TIME = threading.Lock()  # the emulator's storage is not thread-safe


class Handler(RequestHandler):
    """Requests of one connection."""

    def do_GET(self) -> None:
        with ONE_AT_A_TIME:
            super().do_GET()

    def do_DELETE(self) -> None:
        with ONE_AT_A_TIME:
            super().do_DELETE()

    def do_POST(self) -> None:
        if self.body_is_whole():
            with ONE_AT_A_TIME:
                super().do_POST()

    def do_PUT(self) -> None:
        if not self.body_is_whole():
            return
        with ONE_AT_A_TIME:
            wanted = self.headers.get("x-goog-if-generation-match")
            if wanted is not None and wanted != self.generation():
                self.send_response(412)
                self.send_header("Content-Length", "0")
                super(RequestHandler, self).end_headers()
            else:
                super().do_PUT()

    def body_is_whole(self) -> bool:
        """Read the body; False, and no answer, if the connection dropped before its end."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.rfile = io.BytesIO(body)
        self.close_connection = True
        return len(body) == length

    def generation(self) -> str:
        """Generation of the object in the path; "0" if it does not exist."""
        return self.stored().get("generation", "0")

    def stored(self) -> dict:
        bucket, _, name = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        try:
            return self.storage.get_file_obj(bucket, name)
        except NotFound:
            return {}

    def end_headers(self) -> None:
        found = self.stored()
        if found:  # an XML request for an object
            self.send_header("ETag", f'"{found["generation"]}"')
            self.send_header("x-goog-generation", found["generation"])
            self.send_header("Last-Modified", email.utils.formatdate(usegmt=True))
        super().end_headers()


if __name__ == "__main__":
    storage = Storage(use_memory_fs=True)
    buckets.create_bucket("bucket", storage)
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), partial(Handler, storage)).serve_forever()
