"""A TCP proxy that drops and delays connections at random, derived from a seed."""

import random
import socket
import struct
import threading
import time
from contextlib import suppress


class Proxy:
    """Listens on a local port and forwards to another one.

    Attributes:
      drop: probability that a chunk is the last of its connection.
      reset: whether a drop resets the connection, as TLS would notice it; else it ends in mid-message.
      delay: maximum delay of a chunk in seconds.
      dropped: number of dropped connections.
    """

    def __init__(self, target: int, seed: int = 0, reset: bool = False) -> None:
        self.reset = reset
        self.target, self.drop, self.delay, self.dropped = target, 0.0, 0.0, 0
        self._random = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                cut = threading.Event()
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._forward, args=(source, sink, cut), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                time.sleep(self._random.uniform(0, self.delay))
                if self._random.random() < self.drop:
                    self.dropped += 1
                    sink.sendall(chunk[: self._random.randint(0, len(chunk))])
                    if self.reset:
                        cut.set()
                    break
                sink.sendall(chunk)
        for end in (source, sink):
            with suppress(OSError):
                if cut.is_set():  # reading ends here, which ends the other thread; closing resets
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RD)
                else:
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
