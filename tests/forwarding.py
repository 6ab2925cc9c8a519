"""A door in front of a server, which a test can open, close, and rob."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self


class Forwarder:
    """Forwards a PostgreSQL server's connections. ``steal``: which of the server's messages never arrive.

    Before it is opened, and after it is closed, nobody answers on its port.
    """

    def __init__(self, server: int, steal: Callable[[bytes], bool] = lambda _message: False) -> None:
        self._server = server
        self._steal = steal
        self._door: socket.socket | None = None
        self.stolen = 0
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])

    def __enter__(self) -> Self:
        self._door = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._answer, args=(self._door,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._door is not None:
            with suppress(OSError):
                self._door.shutdown(socket.SHUT_RDWR)
            self._door.close()

    def _answer(self, door: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _address = door.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._server)) as server:
            threading.Thread(target=_pass_on, args=(client, server), daemon=True).start()
            try:
                with server.makefile("rb") as messages:
                    while head := messages.read(5):
                        message = head + messages.read(int.from_bytes(head[1:]) - 4)
                        if self._steal(message):
                            self.stolen += 1
                        else:
                            client.sendall(message)
            finally:
                # Closing alone does not end it: another thread still reads from it.
                client.shutdown(socket.SHUT_RDWR)


def _pass_on(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError):
        while data := client.recv(1 << 16):
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)
