"""The embedded broker, and Mosquitto as a child."""

from typing import Final

ACCOUNTS_POLL_S: Final = 0.5
"""How often brokers look for a registry change: a quarter of what a cut-off may take."""

MOSQUITTO_RENDER_EVERY_S: Final = 1.0
"""Mosquitto reads its files again at most this often, however fast devices are registered."""

MOSQUITTO_RENDER_ANYWAY_S: Final = 30.0
"""A token that expires changes the password file without a change of the registry."""

MOSQUITTO_QUEUE_PART_OF_MEMORY: Final = 8
MOSQUITTO_QUEUE_MIN_BYTES: Final = 64 * 1024 * 1024
MOSQUITTO_QUEUE_MAX_BYTES: Final = 1024 * 1024 * 1024
"""What Mosquitto may keep in memory for one client: an eighth of the machine's, within these."""

EMBEDDED_BRIDGE_QUEUE_BYTES: Final = 256 * 1024 * 1024
"""What waits in memory for a bridge that is away or slow: about an hour of 200 readings/s."""

EMBEDDED_DEVICE_QUEUE_BYTES: Final = 512 * 1024
"""What waits for one device: a few hundred commands."""

EMBEDDED_MESSAGE_OVERHEAD_BYTES: Final = 350
"""What Python needs for a queued message besides its topic and payload."""

EMBEDDED_RETAINED_BYTES: Final = 64 * 1024 * 1024
"""All retained messages together; a device may retain one a type segment, and nobody counts those."""

EMBEDDED_WRITE_BACKLOG_BYTES: Final = 1024 * 1024
"""Above this a client that does not read its acknowledgements is not read from, and gets no QoS 0."""

EMBEDDED_SUBSCRIPTIONS: Final = 50
"""Topic filters a client; a device needs two, a bridge four."""

EMBEDDED_INBOUND_QOS2: Final = 100
"""Messages of QoS 2 that a client may have begun and not released."""

EMBEDDED_VERIFIED_TOKENS: Final = 20_000
"""Tokens whose (slow) hash need not be computed again."""

EMBEDDED_OPEN_FILES: Final = 10_000
"""Connections that the embedded broker asks the system to allow it; macOS refuses more."""

EMBEDDED_CONNECT_WITHIN_S: Final = 10.0
"""A connection that has not said who it is by then is closed."""

EMBEDDED_KEEPALIVE_FACTOR: Final = 1.5
"""MQTT 3.1.1: a client is gone after one and a half times its keep-alive."""

EMBEDDED_FLUSH_S: Final = 0.5
"""How long a closed connection may still take to send what was written to it."""

BROKER_START_WITHIN_S: Final = 20.0
BROKER_STOP_WITHIN_S: Final = 4.0
"""How long a broker child may take to end by itself before it is killed."""
