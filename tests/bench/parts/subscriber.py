"""The least that a bridge could do: a paho subscriber, QoS 1, whose callback counts.

python -m tests.bench.parts.subscriber HOST PORT
"""

import sys

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion


def main(host: str, port: int) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bench-subscriber", clean_session=False)
    num_messages = 0

    def count(*_: object) -> None:
        nonlocal num_messages
        num_messages += 1
        if num_messages % 1_000 == 0:
            print(num_messages, flush=True)

    client.on_message = count

    def subscribe(*_: object) -> None:
        client.subscribe("devices/+/+/telemetry", 1)

    def ready(*_: object) -> None:
        print("ready", flush=True)

    client.on_connect = subscribe
    client.on_subscribe = ready
    client.connect(host, port)
    client.loop_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
