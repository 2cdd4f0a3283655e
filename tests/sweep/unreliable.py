"""A TCP proxy that drops and delays connections at random, derived from a seed."""

import multiprocessing
import random
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import Any


class Proxy:
    """Listens on a port of the loopback interface and forwards to another, in a separate process.

    A process, because some clients wait for an answer while they hold the interpreter lock.

    Attributes:
      port: where it listens.
      drop: probability that a chunk is the last of its connection.
      delay: longest wait before a chunk is forwarded, in seconds.
      dropped: number of dropped connections.
    """

    def __init__(self, target: int, seed: int = 0, reset: bool = False) -> None:
        """reset: a drop resets the connection, as TLS would notice it; else it ends in mid-message."""
        context = multiprocessing.get_context("spawn")
        self._drop, self._delay = context.Value("d", 0.0), context.Value("d", 0.0)
        self._dropped = context.Value("i", 0)
        ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_Forwarder,
            args=(target, seed, reset, self._drop, self._delay, self._dropped, theirs),
            daemon=True,
        )
        self._process.start()
        self.port: int = ours.recv()

    @property
    def drop(self) -> float:
        return self._drop.value

    @drop.setter
    def drop(self, chance: float) -> None:
        self._drop.value = chance

    @property
    def delay(self) -> float:
        return self._delay.value

    @delay.setter
    def delay(self, seconds: float) -> None:
        self._delay.value = seconds

    @property
    def dropped(self) -> int:
        return self._dropped.value

    def close(self) -> None:
        self._process.kill()
        self._process.join()


class _Forwarder:
    def __init__(
        self, target: int, seed: int, reset: bool, drop: Any, delay: Any, dropped: Any, port: Any
    ) -> None:
        self._drop, self._delay, self._dropped, self._reset = drop, delay, dropped, reset
        self._random = random.Random(seed)
        listener = socket.create_server(("127.0.0.1", 0))
        port.send(listener.getsockname()[1])
        while True:
            near, _ = listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", target))
            except OSError:
                near.close()
                continue
            cut = threading.Event()
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=(source, sink, cut), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                time.sleep(self._random.uniform(0, self._delay.value))
                if self._random.random() < self._drop.value:
                    with self._dropped.get_lock():
                        self._dropped.value += 1
                    sink.sendall(chunk[: self._random.randint(0, len(chunk))])
                    if self._reset:
                        cut.set()
                    break
                sink.sendall(chunk)
        for end in (source, sink):
            with suppress(OSError):
                if cut.is_set():  # ends the other thread's read; closing then resets the connection
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RD)
                else:
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
