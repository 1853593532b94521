"""Who gets which message in the embedded broker: rules, subscriptions, queues, retained. No sockets."""

import logging
from typing import Final, NamedTuple, Protocol

from hub.broker.complaints import Complaints
from hub.broker.embedded_session import QOS_1, HubSession, Message, Will
from hub.broker.rules import may
from hub.broker.state import State
from hub.broker.subscriptions import Subscriptions, is_filter, matching
from hub.limits.broker import EMBEDDED_RETAINED_BYTES, EMBEDDED_SUBSCRIPTIONS
from hub.protocol.topics import DROPPED_BY_BROKER

log = logging.getLogger(__name__)

REFUSED: Final = 0x80
"""In place of a QoS: this subscription was not granted."""


class Reader(Protocol):
    """A connection that takes messages."""

    def send(self, message: Message) -> bool: ...
    def pump(self) -> None: ...


class Retained(NamedTuple):
    data: bytes
    qos: int


class Exchange:
    """Sessions with what waits for them, and the retained messages. One thread; nothing here waits.

    `dropped` counts messages that somebody subscribed to and will not get.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._complaints = Complaints(log)
        self._filters = Subscriptions()
        self._kept: dict[str, HubSession] = {}
        self._connected: dict[str, Reader] = {}
        self._retained: dict[str, Retained] = {}
        self._retained_bytes = 0
        self._told_dropped = -1

    def client_ids(self) -> list[str]:
        """Everybody who has a session, connected or not."""
        return list(self._kept)

    def session(self, client_id: str, clean: bool) -> tuple[HubSession, bool]:
        """The session of an account, and whether it was there already; a new one if `clean`."""
        if clean:
            self.forget(client_id)
        known = self._kept.get(client_id)
        session = known or HubSession(client_id)
        self._kept[client_id] = session
        return session, known is not None

    def enter(self, client_id: str, reader: Reader) -> None:
        """From now on messages go to this connection."""
        self._connected[client_id] = reader

    def leave(self, client_id: str, will: Will | None) -> None:
        """From now on messages wait, if the session lasts; the last will goes out."""
        self._connected.pop(client_id, None)
        if will:
            self.route(client_id, Message(will.topic, will.data), will.qos, will.retain)
        if self._kept[client_id].clean_session:
            self.forget(client_id)

    def forget(self, client_id: str) -> None:
        """End a session with all that waits for it."""
        self._kept.pop(client_id, None)
        self._filters.remove_client(client_id)

    def route(self, username: str, message: Message, qos: int, retain: bool) -> None:
        """Give a message to everybody who subscribed to it, if its sender may write there."""
        if not may(username, "write", message.topic):
            self.complain(f"A message of {username} was dropped: it may not write to {message.topic!r}.")
            return
        self._distribute(message, qos)
        if retain:
            self._retain(message, qos)

    def subscribe(self, client_id: str, topic_filter: str, qos: int) -> int:
        """The QoS that is granted, at most 1, or 0x80."""
        known = self._filters.of(client_id)
        full = len(known) >= EMBEDDED_SUBSCRIPTIONS and topic_filter not in known
        if full or not is_filter(topic_filter) or not may(client_id, "read", topic_filter):
            self.complain(f"A subscription of {client_id} was refused: {topic_filter!r}.")
            return REFUSED
        self._filters.add(client_id, topic_filter, min(qos, QOS_1))
        return min(qos, QOS_1)

    def unsubscribe(self, client_id: str, topic_filter: str) -> None:
        self._filters.remove(client_id, topic_filter)

    def send_retained(self, client_id: str, topic_filter: str, qos: int) -> None:
        """Retained messages go to who subscribed, and to nobody else."""
        if qos == REFUSED:
            return
        for topic in matching(self._retained, topic_filter):
            retained = self._retained[topic]
            message = Message(topic, retained.data, True)
            self._deliver(client_id, message, min(qos, retained.qos))

    def complain(self, text: str) -> None:
        self._complaints.say(text)

    def _distribute(self, message: Message, qos: int) -> None:
        # Who may not read a topic could not subscribe to it, so nobody is asked again.
        for client_id, granted in self._filters.readers(message.topic).items():
            self._deliver(client_id, message, self._level(client_id, qos, granted))

    def _deliver(self, client_id: str, message: Message, qos: int) -> None:
        session, handler = self._kept[client_id], self._connected.get(client_id)
        if qos:
            taken = session.offer(message)
        else:
            taken = handler is None or handler.send(message)
        if not taken:
            self.dropped += 1
            self.complain(f"A message for {client_id} was dropped: too much waits for it already.")
        elif qos and handler:
            handler.pump()

    def _retain(self, message: Message, qos: int) -> None:
        old = self._retained.pop(message.topic, None)
        if old is not None:
            self._retained_bytes -= Message(message.topic, old.data).cost
        if not message.data:
            return
        if self._retained_bytes + message.cost > EMBEDDED_RETAINED_BYTES:
            self.dropped += 1
            self.complain(f"The message on {message.topic!r} was not retained: there are too many.")
            return
        self._retained_bytes += message.cost
        self._retained[message.topic] = Retained(message.data, qos)

    def tell_dropped(self) -> None:
        """As Mosquitto does: `$SYS/broker/publish/messages/dropped`, retained."""
        if self.dropped == self._told_dropped:
            return
        self._told_dropped = self.dropped
        message = Message(DROPPED_BY_BROKER, str(self.dropped).encode())
        self._distribute(message, 0)
        self._retain(message, 0)

    def state(self) -> State:
        lasting = {name: session for name, session in self._kept.items() if not session.clean_session}
        return State(
            sessions=[session.keep(self._filters.of(name)) for name, session in lasting.items()],
            retained=[
                (topic, retained.data, retained.qos)
                for topic, retained in self._retained.items()
                if topic != DROPPED_BY_BROKER
            ],
        )

    def restore(self, kept: State) -> None:
        for session in kept.sessions:
            self._kept[session.client_id] = HubSession.restore(session)
            for topic_filter, qos in session.filters.items():
                self._filters.add(session.client_id, topic_filter, qos)
        for topic, data, qos in kept.retained:
            self._retain(Message(topic, data), qos)

    def _level(self, client_id: str, qos: int, granted: int) -> int:
        # What a device sends with QoS 0 waits for a bridge that restarts, too.
        return granted if self._kept[client_id].is_bridge else min(granted, qos)
