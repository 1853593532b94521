"""Runs a paho client on an asyncio loop: its socket is read and written there, without a thread."""

import asyncio
import socket
import ssl
import threading
from typing import Any

import paho.mqtt.client as mqtt


class PahoLoop:
    """Connects a client's socket callbacks to the running loop. Make it on the loop's thread.

    `reconnect()` blocks, so it is called in another thread: two of the callbacks come from there.
    """

    def __init__(self, client: mqtt.Client) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        client.on_socket_open = self._on_open
        client.on_socket_close = self._on_close
        client.on_socket_register_write = self._on_register_write
        client.on_socket_unregister_write = self._on_unregister_write

    def cut(self) -> None:
        """End the connection without a word; paho finds it closed at the loop's next turn."""
        sock: Any = self._client.socket()
        if sock is not None and sock.fileno() >= 0:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # The other side was quicker.

    def _on_open(self, client: mqtt.Client, userdata: Any, sock: Any) -> None:
        self._loop.call_soon_threadsafe(self._watch, sock)

    def _on_register_write(self, client: mqtt.Client, userdata: Any, sock: Any) -> None:
        # Optimization: write at the loop's next turn, and ask the selector only when the socket is full.
        # That saves two system calls a packet; the thread-safe call costs a third.
        if threading.get_ident() == self._thread:
            self._loop.call_soon(self._write)
        else:
            self._loop.call_soon_threadsafe(self._write)

    def _on_unregister_write(self, client: mqtt.Client, userdata: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_writer(sock)

    def _on_close(self, client: mqtt.Client, userdata: Any, sock: Any) -> None:
        # At once, before the number of the descriptor is given to somebody else.
        if sock.fileno() >= 0:
            self._loop.remove_reader(sock)
            self._loop.remove_writer(sock)

    def _watch(self, sock: Any) -> None:
        descriptor: int = sock.fileno()
        if descriptor >= 0 and self._client.socket() is sock:
            self._loop.add_reader(descriptor, self._read)

    def _read(self) -> None:
        self._client.loop_read()
        sock: Any = self._client.socket()
        # TLS may hold packets that the selector knows nothing of.
        while isinstance(sock, ssl.SSLSocket) and sock.fileno() >= 0 and sock.pending():
            self._client.loop_read()
            sock = self._client.socket()

    def _write(self) -> None:
        self._client.loop_write()
        sock: Any = self._client.socket()
        if sock is not None and sock.fileno() >= 0 and self._client.want_write():
            self._loop.add_writer(sock, self._write)
