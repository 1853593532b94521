"""One device's MQTT connection, with neither a thread nor a timer of its own."""

import asyncio
import random
import ssl
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final, Protocol

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hub.limits.bridge import MQTT_KEEPALIVE_S, RECONNECT_MAX_S, RECONNECT_MIN_S
from hub.limits.simulators import (
    SIMULATOR_CONNECT_TIMEOUT_S,
    SIMULATOR_INFLIGHT_MESSAGES,
    SIMULATOR_REFUSED_RETRY_MAX_S,
    SIMULATOR_REFUSED_RETRY_MIN_S,
)
from simulators.hub_api import Account
from simulators.paho_loop import PahoLoop

ONLINE: Final = b"online"
OFFLINE: Final = b"offline"
_BAD_USERNAME_OR_PASSWORD: Final = 134
_NOT_AUTHORIZED: Final = 135
_STEADY_S: Final = 10.0
"""A connection that ended sooner counts as a failed one: two that throw each other out must slow down."""


class Listener(Protocol):
    """Who is told what happens on a connection, on the loop."""

    def on_up(self) -> None: ...
    def on_down(self) -> None: ...
    def on_acknowledged(self, mid: int) -> None: ...
    def on_rejection(self, payload: bytes) -> None: ...
    def on_trouble(self, sentence: str, refused: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Doorway:
    """What all connections of a fleet share: how many sign in at once, where blocking calls run, TLS."""

    gate: asyncio.Semaphore
    executor: Executor
    tls: ssl.SSLContext | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a sign-in failed; `refused` when asking again soon will not help."""

    sentence: str
    refused: bool


class Connection:
    """Signs in as the device, stays signed in, and says `online` and, when it goes, `offline`.

    `run()` connects and reconnects until it is cancelled; `tick()` must be called about once a second.
    All methods belong to the loop's thread.
    """

    def __init__(self, account: Account, doorway: Doorway, listener: Listener, rng: random.Random) -> None:
        self.up = asyncio.Event()
        self._account = account
        self._doorway = doorway
        self._listener = listener
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._lost = asyncio.Event()
        self._connack: asyncio.Future[str | None] = self._loop.create_future()
        self._deliveries: dict[int, asyncio.Future[None]] = {}
        self._client = self._make_client()
        self._wire = PahoLoop(self._client)

    def _make_client(self) -> mqtt.Client:
        where = self._account.mqtt
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=where.username,
            clean_session=True,
            protocol=mqtt.MQTTv311,
            # Otherwise paho answers some refusals by reconnecting inside of the loop.
            reconnect_on_failure=False,
        )
        client.username_pw_set(where.username, self._account.token)
        client.will_set(where.topics.status, OFFLINE, qos=1, retain=True)
        client.max_inflight_messages_set(SIMULATOR_INFLIGHT_MESSAGES * 2)
        client.connect_timeout = SIMULATOR_CONNECT_TIMEOUT_S
        if where.tls:
            client.tls_set_context(self._doorway.tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.connect_async(where.host, where.port, keepalive=MQTT_KEEPALIVE_S)
        return client

    async def run(self) -> None:
        """Connect, and connect again with growing, jittered pauses, until cancelled."""
        failures = 0
        while True:
            async with self._doorway.gate:
                trouble = await self._sign_in()
            failures += 1
            if trouble is None:
                began_s = self._loop.time()
                await self._lost.wait()
                if self._loop.time() - began_s > _STEADY_S:
                    failures = 1
            elif failures > 1 or not trouble.refused:
                # The first refusal may be a password that has not reached the broker yet.
                self._listener.on_trouble(trouble.sentence, trouble.refused)
            refused = trouble is not None and trouble.refused
            await asyncio.sleep(backoff_s(failures, self._rng, refused))

    def publish(self, payload: bytes) -> int | None:
        """Hand telemetry over with QoS 1: its message id, or None when the client took no more.

        What was handed over survives a lost connection: paho sends it again on the next one.
        """
        return self._publish(self._account.mqtt.topics.telemetry, payload, retain=False)

    async def deliver(self, payload: bytes) -> None:
        """Publish telemetry and wait until the broker has acknowledged it, over reconnects if need be."""
        await self.up.wait()
        await self._acknowledged(self.publish(payload))

    async def say_goodbye(self) -> None:
        """Publish `offline`, wait for its acknowledgement, disconnect. The caller bounds the time."""
        if self.up.is_set():
            await self._acknowledged(self._publish(self._account.mqtt.topics.status, OFFLINE, retain=True))
            self._client.disconnect()
            await self._lost.wait()

    def cut(self) -> None:
        """End the connection without a word, as a device does that loses its power."""
        self._wire.cut()

    def tick(self) -> None:
        """Keep the connection alive; called from one timer for the whole fleet."""
        if self.up.is_set():
            self._client.loop_misc()

    async def _sign_in(self) -> Trouble | None:
        """One attempt, up to the broker's answer."""
        where = self._account.mqtt
        address = f"{where.host}:{where.port}"
        self._lost.clear()
        self._connack = self._loop.create_future()
        try:
            # It blocks for DNS, TCP and TLS.
            await self._loop.run_in_executor(self._doorway.executor, self._client.reconnect)
        except OSError as error:
            return Trouble(f"No MQTT broker answers at {address} ({error}); trying again.", False)
        try:
            refusal = await asyncio.wait_for(self._connack, SIMULATOR_CONNECT_TIMEOUT_S)
        except TimeoutError:
            self._wire.cut()
            return Trouble(f"The MQTT broker at {address} took the connection and said nothing.", False)
        return None if refusal is None else self._refusal(refusal, address)

    def _refusal(self, refusal: str, address: str) -> Trouble:
        if refusal == "credentials":
            return Trouble(
                f"The MQTT broker at {address} does not accept the token of {self._account.mqtt.username!r}: "
                "somebody else was given a new one, or the device is disabled. "
                f"Trying again, ever more slowly, up to every {SIMULATOR_REFUSED_RETRY_MAX_S:.0f} s.",
                True,
            )
        return Trouble(f"The MQTT broker at {address} refused the connection: {refusal}.", False)

    def _publish(self, topic: str, payload: bytes, retain: bool) -> int | None:
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        # NO_CONN: a QoS 1 message is kept and sent at the next connect.
        kept = info.rc in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN)
        return info.mid if kept else None

    async def _acknowledged(self, mid: int | None) -> None:
        if mid is None:
            return
        future = self._deliveries[mid] = self._loop.create_future()
        try:
            await future
        finally:
            self._deliveries.pop(mid, None)

    # --- what paho calls, on the loop's thread ----------------------------------------------

    def _on_connect(
        self,
        client: mqtt.Client,
        userdata: Any,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            wrong = reason.value in (_BAD_USERNAME_OR_PASSWORD, _NOT_AUTHORIZED)
            self._answer("credentials" if wrong else str(reason))
            return
        topics = self._account.mqtt.topics
        client.subscribe(topics.rejections, qos=0)
        self._publish(topics.status, ONLINE, retain=True)
        self.up.set()
        self._answer(None)
        # Afterwards paho sends again what was under way; what waited longer comes behind it.
        self._loop.call_soon(self._listener.on_up)

    def _on_disconnect(
        self,
        client: mqtt.Client,
        userdata: Any,
        flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        # paho calls this twice when the keep-alive fails.
        if self.up.is_set():
            self.up.clear()
            self._listener.on_down()
        self._answer("the connection ended before an answer came")
        self._lost.set()

    def _on_publish(
        self, client: mqtt.Client, userdata: Any, mid: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        delivery = self._deliveries.get(mid)
        if delivery is not None and not delivery.done():
            delivery.set_result(None)
        self._listener.on_acknowledged(mid)

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        self._listener.on_rejection(bytes(message.payload))

    def _answer(self, refusal: str | None) -> None:
        if not self._connack.done():
            self._connack.set_result(refusal)


def backoff_s(failures: int, rng: random.Random, refused: bool = False) -> float:
    """The pause after so many failures in a row: doubling, capped, with jitter against herds."""
    doubled = 2 ** min(failures, 16)
    if refused:
        ceiling_s = min(SIMULATOR_REFUSED_RETRY_MAX_S, SIMULATOR_REFUSED_RETRY_MIN_S * doubled)
        return rng.uniform(ceiling_s / 2, ceiling_s)
    return rng.uniform(RECONNECT_MIN_S, min(RECONNECT_MAX_S, RECONNECT_MIN_S * doubled))
