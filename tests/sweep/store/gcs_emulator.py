"""A Google Cloud Storage emulator process: `python -m tests.sweep.store.gcs_emulator PORT`.

`gcp-storage-emulator` with what it lacks: preconditions on XML puts, the headers of XML responses, rejection of
truncated bodies, concurrent connections, and the answers that a client needs to continue a resumable upload.
"""

import email.utils
import io
import json
import sys
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import buckets
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

ONE_AT_A_TIME = threading.Lock()  # the emulator's storage is not thread-safe
FINISHED: dict[str, dict] = {}  # objects of finished resumable uploads, by upload id


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
            upload = parse_qs(urlsplit(self.path).query).get("upload_id", [""])[0]
            if wanted is not None and wanted != self.generation():
                self.answer(412)
            elif upload:
                self.do_part(upload)
            else:
                super().do_PUT()

    def do_part(self, upload: str) -> None:
        """A part of a resumable upload, or a question about its state.

        https://cloud.google.com/storage/docs/performing-resumable-uploads#status-check
        """
        if upload in FINISHED:  # the emulator answers 404
            self.answer(200, json.dumps(FINISHED[upload]).encode())
            return
        is_question = self.headers.get("Content-Range") == "bytes */*"
        if is_question and not self.storage.get_resumable_byte_count(upload):
            self.answer(308)  # the emulator claims to have one byte
            return
        pending = self.storage.resumable.get(upload)
        super().do_PUT()
        if pending and upload not in self.storage.resumable:
            FINISHED[upload] = self.storage.get_file_obj(pending["bucket"], pending["name"])

    def answer(self, status: int, content: bytes = b"") -> None:
        """A response of its own headers only."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        super(RequestHandler, self).end_headers()
        self.wfile.write(content)

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
