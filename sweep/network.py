"""A quick check that something answers at an address. Standard library only."""

import socket
from http.client import HTTPException
from threading import Thread
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

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
    failures: list[str] = [f"no answer within {SECONDS:.0f} s"]

    def probe() -> None:
        try:
            if web:
                urlopen(f"{address.rstrip('/')}/api/version", timeout=SECONDS).close()
            else:
                socket.create_connection((host, port), timeout=SECONDS).close()
            failures.clear()
        except HTTPError:
            failures.clear()
        except (OSError, HTTPException, ValueError) as error:
            failures[0] = one_line(getattr(error, "reason", None) or error)

    thread = Thread(target=probe, daemon=True)
    thread.start()
    thread.join(SECONDS)  # resolving a host name has no timeout
    if failures:
        raise ConnectionError(f"{address}: no {server} answers ({failures[0]})")
