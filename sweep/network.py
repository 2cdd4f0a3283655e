"""Requests to servers within a few seconds. Standard library only."""

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from sweep.errors import SpecError, one_line

SECONDS = 10.0


def require_answer(address: str, server: str = "cluster") -> None:
    """Raise unless something answers at an address within `SECONDS`; Ray itself tries for minutes.

    Args:
      address: "HOST:PORT" or "ray://HOST:PORT", where a connection is an answer; or "http://HOST:PORT" of a
        job server, where any HTTP status is.
      server: what is expected there, for the message.

    Raises:
      SpecError: no host or no port.
      ConnectionError: no answer.
    """
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is no number
        host = port = None
    web = parts.scheme in ("http", "https")
    if not host or (port is None and not web):
        raise SpecError(f"--address {address}: write HOST:PORT, such as 127.0.0.1:6379")

    def connect() -> None:
        if not web:
            socket.create_connection((host, port), timeout=SECONDS).close()
            return
        with suppress(HTTPError):
            urlopen(f"{address.rstrip('/')}/api/version", timeout=SECONDS).close()

    if failure := _failure(connect):
        raise ConnectionError(f"{address}: no {server} answers ({failure})")


def require_url(option: str, url: str) -> None:
    """Raise SpecError unless the value of an option is the URL of a web server."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, or an incomplete IPv6 address
        valid = False
    if not valid or not url.isascii() or not url.isprintable() or " " in url:
        raise SpecError(f"{option} {url}: write a URL, such as https://example.org/hook")


def post_json(url: str, document: dict[str, Any]) -> None:
    """Post a JSON document.

    Raises:
      ConnectionError: not accepted within `SECONDS`. The message has the host only, because paths of URLs and
        user names in them are often secrets.
    """
    request = Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})
    if failure := _failure(lambda: urlopen(request, timeout=SECONDS).close()):
        raise ConnectionError(f"{urlsplit(url).hostname}: {failure}")


def _failure(action: Callable[[], None]) -> str:
    """The reason why an action failed or did not end within `SECONDS`; "" if it succeeded."""
    failures: list[str] = [f"no answer within {SECONDS:.0f} s"]

    def attempt() -> None:
        try:
            action()
            failures.clear()
        except (OSError, HTTPException, ValueError) as error:
            status = f"answered {error.code} " if isinstance(error, HTTPError) else ""
            failures[0] = status + one_line(getattr(error, "reason", None) or error)

    thread = Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(SECONDS)  # resolving a host name has no timeout
    return failures[0] if failures else ""
