"""One WebSocket on `/ws/live/`: who is there, what they asked for, what they get (design 4.4)."""

import asyncio
import logging
import time
from typing import Any

from channels.consumer import AsyncConsumer
from django.conf import settings
from django.db import Error as DatabaseError

from dashboard.clock import now_ms
from dashboard.identity import Identity, Rights, identity_of_token, rights_of
from dashboard.live import Live, get_live
from dashboard.messages import (
    Ack,
    Authenticate,
    BridgeHealth,
    ClientMessage,
    Close,
    Error,
    ErrorCode,
    Heartbeat,
    Ping,
    Pong,
    Refusal,
    Subscribe,
    Unsubscribe,
    Welcome,
    parse,
)
from dashboard.origins import has_origin
from dashboard.pace import Pace
from dashboard.streams import Stream, SummaryStream, TypeStream
from dashboard.threads import in_thread
from dashboard.wire import Receive, Send, Wire
from devices.access import Viewer
from hub.limits.live import (
    AUTHENTICATE_WITHIN_S,
    FRAME_LOG_KEPT_MS,
    HEARTBEAT_EVERY_S,
    MAX_STREAMS_PER_SOCKET,
    RIGHTS_CHECK_EVERY_S,
    UNACKED_CLOSE_AFTER_S,
)

logger = logging.getLogger(__name__)


class LiveConsumer(AsyncConsumer):
    """A socket. No layer channel of its own: relays wake its writer, which takes what is due."""

    channel_layer_alias = "nobody"

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve a socket to its end."""
        # Optimization: Channels' own loop makes a task, and a hop through one thread, for each message:
        # 4,000 a second when 400 browsers acknowledge 10 frames a second.
        if (await receive())["type"] != "websocket.connect":
            return
        await send({"type": "websocket.accept"})
        self._prepare(scope, send)
        writer = asyncio.create_task(self.wire.run(), name="socket writer")
        self.live.join(self)
        try:
            await self._sign_in_by_session()
            await self._read(receive)
        except asyncio.CancelledError:
            # Daphne cancels what it serves when it ends.
            await self.wire.hang_up(Close.COME_BACK)
            raise
        finally:
            self.live.leave(self)
            for stream in self.streams.values():
                stream.stop()
            writer.cancel()

    def _prepare(self, scope: Any, send: Send) -> None:
        now_s = time.monotonic()
        self.scope = scope
        self.live: Live = get_live()
        self.identity: Identity | None = None
        self.viewer: Viewer | None = None
        self.visible: frozenset[str] = frozenset()
        self.streams: dict[str, Stream] = {}
        self.wire = Wire(send, lambda: list(self.streams.values()))
        self.rights_due_s = now_s + RIGHTS_CHECK_EVERY_S
        self._sign_in_until_s = now_s + AUTHENTICATE_WITHIN_S
        self._heartbeat_due_s = now_s
        self._pace = Pace(now_s)

    async def _read(self, receive: Receive) -> None:
        while (event := await receive())["type"] != "websocket.disconnect":
            if not self.wire.is_closing:
                await self._hear(event.get("text"))

    async def _hear(self, text: str | None) -> None:
        try:
            message = parse(text)
        except Refusal as refusal:
            if self._has_room(None):
                self._refuse(refusal)
            return
        if not self._has_room(message):
            return
        try:
            await self._obey(message)
        except Refusal as refusal:
            self._refuse(refusal)

    def _has_room(self, message: ClientMessage | None) -> bool:
        now_s = time.monotonic()
        if isinstance(message, Ack):
            allowed = self._pace.allows_ack(now_s, len(self.streams))
        else:
            allowed = self._pace.allows_message(now_s)
        if not allowed:
            self.wire.close(Close.TOO_MANY_MESSAGES)
        return allowed

    def _refuse(self, refusal: Refusal) -> None:
        self.wire.say(Error(refusal.code.value, refusal.detail, refusal.stream))

    # --- signing in ------------------------------------------------------------------

    async def _sign_in_by_session(self) -> None:
        """A session counts only with an Origin: the gate has let allowed ones through."""
        key = self.scope["cookies"].get(settings.SESSION_COOKIE_NAME)
        if not key or not has_origin(self.scope):
            return
        # A browser whose session has ended has no token to send: it need not wait.
        await self._sign_in(Identity(session_key=key))

    async def _authenticate(self, token: str) -> None:
        if self.identity is not None:
            raise Refusal(ErrorCode.BAD_MESSAGE, "This socket is signed in already.")
        identity = await in_thread(identity_of_token, token)
        if identity is None:
            return self.wire.close(Close.SIGN_IN)
        return await self._sign_in(identity)

    async def _sign_in(self, identity: Identity) -> None:
        try:
            rights = await in_thread(rights_of, identity)
        except DatabaseError as error:
            logger.warning("Nobody can sign in, the database cannot be read: %s", error)
            return self.wire.close(Close.COME_BACK)
        if rights is None:
            return self.wire.close(Close.SIGN_IN)
        self.identity = identity
        self.viewer, self.visible = rights.viewer, rights.slugs
        return self.wire.say(Welcome(now_ms(), FRAME_LOG_KEPT_MS // 1_000))

    def apply(self, rights: Rights | None) -> None:
        """What the look at the rights found; None when the session or the token has ended."""
        if rights is None:
            return self.wire.close(Close.SIGN_IN)
        self.viewer, self.visible = rights.viewer, rights.slugs
        named = [stream for stream in self.streams.values() if stream.device_type]
        gone = [stream for stream in named if stream.device_type not in self.visible]
        for stream in gone:
            detail = f"The device type {stream.device_type!r} is gone, or no longer yours to see."
            self._end(stream.name)
            self._refuse(Refusal(ErrorCode.NOT_ALLOWED, detail, stream.name))
        if gone and not self.streams:
            self.wire.close(Close.NOT_ALLOWED)
        return None

    # --- what clients say ----------------------------------------------------------------

    async def _obey(self, message: ClientMessage) -> None:
        if isinstance(message, Authenticate):
            return await self._authenticate(message.token)
        if self.viewer is None:
            self._refuse(Refusal(ErrorCode.NOT_SIGNED_IN, "Sign in first: send an authenticate message."))
            return self.wire.close(Close.SIGN_IN)
        match message:
            case Subscribe():
                self._subscribe(message, self.viewer)
            case Unsubscribe():
                self._stream(message.stream)
                self._end(message.stream)
            case Ack():
                self._acknowledge(message)
            case Ping():
                self.wire.say(Pong(message.at_ms, now_ms()))
        return None

    def _subscribe(self, message: Subscribe, viewer: Viewer) -> None:
        if message.stream not in self.streams and len(self.streams) >= MAX_STREAMS_PER_SOCKET:
            detail = f"A socket has at most {MAX_STREAMS_PER_SOCKET} streams; end one first."
            raise Refusal(ErrorCode.TOO_MANY_STREAMS, detail, message.stream)
        self._end(message.stream)
        stream: Stream
        if message.summary:
            stream = SummaryStream(message.stream, self.wire)
        else:
            live = self.live
            stream = TypeStream(message, viewer, self.wire, live.relays, live.history, self._drop)
        self.streams[message.stream] = stream
        stream.start()

    def _acknowledge(self, message: Ack) -> None:
        if not self._stream(message.stream).ack(message.frame):
            detail = f"Frame {message.frame} was not sent on this stream."
            raise Refusal(ErrorCode.BAD_ACK, detail, message.stream)

    def _stream(self, name: str) -> Stream:
        stream = self.streams.get(name)
        if stream is None:
            raise Refusal(ErrorCode.NOT_SUBSCRIBED, f"There is no stream {name[:64]!r} on this socket.", name)
        return stream

    def _end(self, name: str) -> None:
        stream = self.streams.pop(name, None)
        if stream is not None:
            stream.stop()

    def _drop(self, stream: Stream, refusal: Refusal) -> None:
        """A subscription could not be followed."""
        if self.streams.get(stream.name) is stream:
            self._end(stream.name)
            self._refuse(Refusal(refusal.code, refusal.detail, stream.name))

    # --- what time brings ----------------------------------------------------------------

    def tick(self, now_s: float, layer_is_up: bool, bridges: list[BridgeHealth]) -> None:
        """Close who does not sign in or acknowledge; send the heartbeat when it is due."""
        if self.identity is None:
            if now_s >= self._sign_in_until_s:
                self.wire.close(Close.SIGN_IN)
            return
        if any(stream.unacked_s(now_s) > UNACKED_CLOSE_AFTER_S for stream in self.streams.values()):
            self.wire.close(Close.NOT_ACKNOWLEDGING)
        if now_s >= self._heartbeat_due_s:
            self._heartbeat_due_s = now_s + HEARTBEAT_EVERY_S
            cursors = {name: each.cursor for name, each in self.streams.items() if each.cursor is not None}
            self.wire.say(Heartbeat(now_ms(), "up" if layer_is_up else "down", bridges, cursors))

    @property
    def summaries(self) -> list[SummaryStream]:
        return [stream for stream in self.streams.values() if isinstance(stream, SummaryStream)]
