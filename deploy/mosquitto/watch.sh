#!/bin/sh
# Starts Mosquitto once the hub has written its accounts, and tells it (SIGHUP) whenever they change.
set -eu
accounts=${ACCOUNTS_DIR:-/mosquitto/accounts}
state() { stat -c '%n %i %Y %s' "$accounts/passwords" "$accounts/acl" 2>/dev/null || true; }

until [ -f "$accounts/passwords" ] && [ -f "$accounts/acl" ]; do
    echo "Waiting for the hub to write $accounts/passwords and $accounts/acl"
    sleep 1
done
seen=$(state)
mosquitto -c "${MOSQUITTO_CONF:-/mosquitto/config/mosquitto.conf}" &
broker=$!
trap 'kill -TERM "$broker"' TERM INT

while kill -0 "$broker" 2>/dev/null; do
    now=$(state)
    if [ -n "$now" ] && [ "$now" != "$seen" ]; then
        seen=$now
        kill -HUP "$broker"
    fi
    sleep 0.5 &
    wait $! || true
done
wait "$broker"
