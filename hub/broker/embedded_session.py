"""What the embedded broker keeps for a client between two connections."""

import time
from collections import deque
from typing import Final, Literal, NamedTuple

from amqtt.session import IncomingApplicationMessage, OutgoingApplicationMessage, Session

from hub.broker.rules import is_bridge
from hub.broker.state import KeptMessage, KeptSession
from hub.limits.broker import (
    EMBEDDED_BRIDGE_QUEUE_BYTES,
    EMBEDDED_DEVICE_QUEUE_BYTES,
    EMBEDDED_MESSAGE_OVERHEAD_BYTES,
)

QOS_1: Final = 1
QOS_2: Final = 2
_COPIED: Final = (
    "clean_session",
    "keep_alive",
    "remote_address",
    "remote_port",
    "ssl_object",
)


class Message(NamedTuple):
    """A QoS 1 message that waits for its turn. `retain` says that it was a retained one when matched."""

    topic: str
    data: bytes
    retain: bool = False

    @property
    def cost(self) -> int:
        """About how many bytes of memory it takes."""
        return len(self.topic) + len(self.data) + EMBEDDED_MESSAGE_OVERHEAD_BYTES


class Will(NamedTuple):
    """What is published for a client that vanishes."""

    topic: str
    data: bytes
    qos: int
    retain: bool


class _Link:
    """In place of a state machine of the `transitions` package, which costs 0.25 ms and 10 KB a session."""

    def __init__(self) -> None:
        self.state: Literal["new", "connected", "disconnected"] = "new"

    def connect(self) -> None:
        self.state = "connected"

    def disconnect(self) -> None:
        self.state = "disconnected"

    def is_connected(self) -> bool:
        return self.state == "connected"


class HubSession(Session):
    """A session that forgets a message only when it was acknowledged.

    `inflight_out` holds what was sent and not acknowledged, in order, for as long as that takes; amqtt
    drops it after 5 s and at every disconnect. `waiting` holds what did not fit into the window or came
    while the client was away, bounded by bytes.
    """

    def __init__(self, username: str) -> None:
        super().__init__()
        self.client_id = self.username = username
        self.is_bridge = is_bridge(username)
        self._room = EMBEDDED_BRIDGE_QUEUE_BYTES if self.is_bridge else EMBEDDED_DEVICE_QUEUE_BYTES
        self.waiting: deque[Message] = deque()
        self.waiting_bytes = 0
        self.signed_in_with = ""

    def _init_states(self) -> None:
        self.transitions = _Link()  # type: ignore[assignment]

    def take_over(self, incoming: Session, signed_in_with: str) -> None:
        """What a new connection brings: everything but messages and subscriptions."""
        for name in _COPIED:
            setattr(self, name, getattr(incoming, name))
        self.last_connect_time = int(time.time())
        self.signed_in_with = signed_in_with
        self.transitions.connect()

    def offer(self, message: Message) -> bool:
        """Put a message at the end of the queue; False when there is no room, and it is lost."""
        if self.waiting_bytes + message.cost > self._room:
            return False
        self.waiting.append(message)
        self.waiting_bytes += message.cost
        return True

    def send_next(self, window: int) -> OutgoingApplicationMessage | None:
        """The next message to send, now in flight; None when nothing waits or the window is full."""
        if not self.waiting or len(self.inflight_out) >= window:
            return None
        message = self.waiting.popleft()
        self.waiting_bytes -= message.cost
        mid = self.next_packet_id
        sent = OutgoingApplicationMessage(mid, message.topic, QOS_1, message.data, message.retain)
        self.inflight_out[mid] = sent
        return sent

    def acknowledge(self, mid: int) -> None:
        """Forget a message that has arrived; an unknown mid is one acknowledged twice."""
        self.inflight_out.pop(mid, None)

    def keep(self, filters: dict[str, int]) -> KeptSession:
        """What survives a restart of the broker; `filters` are its subscriptions."""
        assert self.client_id
        return KeptSession(
            client_id=self.client_id,
            filters=filters,
            inflight=[_kept(message) for message in self.inflight_out.values()],
            waiting=[KeptMessage(*message) for message in self.waiting],
            inbound=[_kept(message) for message in self.inflight_in.values()],
        )

    @classmethod
    def restore(cls, kept: KeptSession) -> "HubSession":
        """A session as it was before the restart, its client not connected yet."""
        session = cls(kept.client_id)
        session.clean_session = False
        for topic, data, retain, mid in map(_fields, kept.inflight):
            session.inflight_out[mid] = OutgoingApplicationMessage(mid, topic, QOS_1, data, retain)
        for topic, data, retain, mid in map(_fields, kept.inbound):
            session.inflight_in[mid] = IncomingApplicationMessage(mid, topic, QOS_2, data, retain)
        for waiting in kept.waiting:
            session.offer(Message(waiting.topic, waiting.data, waiting.retain))
        return session


def _kept(message: IncomingApplicationMessage | OutgoingApplicationMessage) -> KeptMessage:
    return KeptMessage(message.topic, bytes(message.data), message.retain, message.packet_id)


def _fields(message: KeptMessage) -> tuple[str, bytes, bool, int]:
    return message.topic, message.data, message.retain, message.mid or 0
