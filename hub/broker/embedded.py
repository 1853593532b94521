"""The embedded broker: amqtt 0.12.1 for a demo or a small site, on loopback, in a process of its own.

amqtt as released loses what a subscriber had not acknowledged, asks for the password after it has
touched the session, and more; each repair has its test in tests/hub/broker/. It names no plugins: those
are called by a task for every message, here the rules are a function call.
"""

import asyncio
import logging
import socket
from pathlib import Path
from typing import Any

from amqtt.adapters import BufferReader
from amqtt.broker import Broker
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.mqtt.connack import CONNECTION_ACCEPTED, ConnackPacket
from amqtt.session import Session
from django.db import Error as DatabaseError

from hub.broker import packets, state
from hub.broker.accounts import Accounts
from hub.broker.embedded_handler import Handler, Wire
from hub.broker.embedded_session import HubSession, Will
from hub.broker.exchange import Exchange
from hub.broker.packets import BadPacketError, Packet
from hub.limits.broker import ACCOUNTS_POLL_S, EMBEDDED_CONNECT_WITHIN_S

log = logging.getLogger(__name__)

_MQTT_3_1_1, _MQTT_5 = 4, 5
_CONFIG = {"listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:0"}}, "plugins": {}}
"""The address is never used: the broker gets a socket that listens already."""


class RefusedError(Exception):
    """A client may not come in; the sentence says why."""


class EmbeddedBroker(Broker):
    """`start()` accepts clients on a listening socket, `shutdown()` writes what must survive to a file."""

    def __init__(self, listening: socket.socket, accounts: Accounts, state_file: Path) -> None:
        super().__init__(_CONFIG)
        self.exchange = Exchange()
        self._listening = listening
        self._accounts = accounts
        self._state_file = state_file
        self._connected: dict[str, Handler] = {}

    # --- Life -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up the last run's state and accept clients.

        Raises django.db.Error if the registry cannot be read, OSError if the state file cannot.
        """
        await self._accounts.refresh()
        self.exchange.restore(state.load(self._state_file))
        self.exchange.tell_dropped()
        await super().start()

    async def shutdown(self) -> None:
        """Close every connection and write the state file.

        It is written before any last will goes out: the end of the broker is no failure of a device.
        """
        for server in self._servers.values():
            server.instance.close()
        for handler in list(self._connected.values()):
            handler.end()
        try:
            state.save(self._state_file, self.exchange.state())
        except OSError as error:
            log.error("The broker's state could not be written to %s: %s.", self._state_file, error)  # noqa: TRY400
        await super().shutdown()

    async def _create_server_instance(self, *_: Any, **__: Any) -> asyncio.Server:
        return await asyncio.start_server(self._accept, sock=self._listening)

    async def _session_monitor(self) -> None:
        # amqtt looks for expired sessions here; ours end with their connection or their device.
        while True:
            try:
                await self._accounts.refresh()
                self._send_away()
            except Exception as error:  # noqa: BLE001 - if this task ended, nobody would be cut off any more
                self.exchange.complain(f"The registry cannot be read, so its last state counts: {error!r}.")
            self.exchange.tell_dropped()
            await asyncio.sleep(ACCOUNTS_POLL_S)

    def _send_away(self) -> None:
        """Cut off who may no longer be here, and forget the sessions of deleted devices."""
        for client_id, handler in list(self._connected.items()):
            if not self._accounts.is_valid(client_id, handler.hub_session.signed_in_with):
                log.info("%s was cut off: it is disabled or deleted, or its token has ended.", client_id)
                handler.end()
                self._part(handler)
        for client_id in self.exchange.client_ids():
            if not self._accounts.is_known(client_id):
                self.exchange.forget(client_id)

    # --- Connections ----------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(writer)
        try:
            async with asyncio.timeout(EMBEDDED_CONNECT_WITHIN_S):
                handler = await self._welcome(reader, wire)
        except (RefusedError, BadPacketError, AMQTTError, MQTTError, NoDataError) as error:
            self.exchange.complain(f"A connection was refused: {error}.")
            wire.cut()
            return
        except (OSError, asyncio.IncompleteReadError):
            wire.cut()
            return
        try:
            await handler.start()
            await handler.closed
        finally:
            self._part(handler)
            await handler.stop()

    async def _welcome(self, reader: asyncio.StreamReader, wire: Wire) -> Handler:
        connect = await packets.read_packet(reader)
        self._check_version(connect, wire)
        again = BufferReader(packets.encode(connect))
        handler, incoming = await Handler.init_from_connect(again, wire, self.plugins_manager)
        assert isinstance(handler, Handler)
        signed_in_with = await self._sign_in(incoming, wire)
        # From here to the CONNACK nothing waits: two connections of one account cannot get mixed up.
        session = self._session_of(incoming, signed_in_with)
        handler.adopt(session, reader, wire, self.exchange, _will_of(incoming))
        assert session.client_id
        self._connected[session.client_id] = handler
        self.exchange.enter(session.client_id, handler)
        wire.write(ConnackPacket.build(session.parent, CONNECTION_ACCEPTED).to_bytes())
        return handler

    @staticmethod
    def _check_version(connect: Packet, wire: Wire) -> None:
        if connect.kind != 1:
            raise BadPacketError("its first packet was no CONNECT")
        level = packets.protocol_level(connect)
        if level != _MQTT_3_1_1:
            wire.write(packets.WRONG_VERSION_5 if level == _MQTT_5 else packets.WRONG_VERSION)
            raise RefusedError(
                "it does not speak MQTT 3.1.1, which is all that the embedded broker understands"
            )

    async def _sign_in(self, incoming: Session, wire: Wire) -> str:
        try:
            signed_in_with = await self._accounts.sign_in(incoming.username, incoming.password)
        except DatabaseError as error:
            wire.write(packets.SERVER_UNAVAILABLE)
            raise RefusedError(f"the registry cannot be read ({error})") from error
        if signed_in_with is None:
            wire.write(packets.NOT_AUTHORIZED)
            name = incoming.username or ""
            raise RefusedError(f"{name!r} is no enabled device with this token")
        return signed_in_with

    def _session_of(self, incoming: Session, signed_in_with: str) -> HubSession:
        """The session of an account. Its name is the client id, whatever the client calls itself."""
        assert incoming.username
        if old := self._connected.get(incoming.username):
            old.end()
            self._part(old)
        session, present = self.exchange.session(incoming.username, bool(incoming.clean_session))
        session.take_over(incoming, signed_in_with)
        session.parent = int(present)
        return session

    def _part(self, handler: Handler) -> None:
        """A connection has ended. Only the first call does anything, and none that comes too late."""
        client_id = handler.hub_session.client_id
        assert client_id
        if self._connected.get(client_id) is not handler:
            return
        del self._connected[client_id]
        handler.hub_session.transitions.disconnect()
        self.exchange.leave(client_id, handler.will)


def _will_of(incoming: Session) -> Will | None:
    if not incoming.will_flag or not incoming.will_topic:
        return None
    data = bytes(incoming.will_message or b"")
    return Will(incoming.will_topic, data, incoming.will_qos or 0, bool(incoming.will_retain))
