FROM node:22.20.0-bookworm-slim AS browser
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM python:3.11.14-slim-bookworm AS packages
WORKDIR /app
COPY requirements.txt constraints.txt ./
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir -r requirements.txt

FROM python:3.11.14-slim-bookworm
# The user has the number that mosquitto has in its own image, so that it can read the account files the hub
# writes. The directories are there so that a volume over them belongs to that user.
RUN groupadd --gid 1883 hub \
    && useradd --uid 1883 --gid 1883 --no-create-home --shell /usr/sbin/nologin hub \
    && install --directory --owner=hub --group=hub --mode=0700 /var/lib/hub /var/lib/hub-accounts
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HUB_STATIC_DIR=/app/static
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY --from=browser /app/node_modules node_modules
COPY manage.py ./
COPY hub hub
COPY devices devices
COPY dashboard dashboard
COPY simulators simulators
# Compiled and compressed here, once: where it runs it may write nothing.
RUN python -m compileall -q hub devices dashboard simulators \
    && mkdir static \
    && HUB_DATA_DIR=/tmp/build python manage.py collectstatic --noinput \
    && rm -r /tmp/build
ENV HUB_DATA_DIR=/var/lib/hub
USER 1883:1883
EXPOSE 8000
CMD ["daphne", "-b", "0.0.0.0", "-p", "8000", \
     "--websocket-max-message-size", "65536", "--websocket-max-frame-size", "65536", "hub.asgi:application"]
