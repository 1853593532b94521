"""All settings, from environment variables (docs/settings.md). It runs with none of them set.

A bad value stops the program at start with the variable's name and what it accepts.
"""

import os
from pathlib import Path

from hub.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment(os.environ)

# --- Where and who --------------------------------------------------------------------
HUB_DATA_DIR = env.directory("HUB_DATA_DIR", BASE_DIR / "var")
HUB_HTTP_HOST = env.text("HUB_HTTP_HOST", "127.0.0.1")
HUB_HTTP_PORT = env.port("HUB_HTTP_PORT", 8000)
HUB_PUBLIC_URL = env.url("HUB_PUBLIC_URL", None, schemes=("http", "https")) or env.http_url(
    HUB_HTTP_HOST, HUB_HTTP_PORT
)

DEBUG = env.boolean("HUB_DEBUG", False)
SECRET_KEY = env.secret("HUB_SECRET_KEY", None) or env.generated_secret(HUB_DATA_DIR)
ALLOWED_HOSTS = env.words("HUB_ALLOWED_HOSTS", env.hosts_of(HUB_PUBLIC_URL))
HUB_ALLOWED_ORIGINS = env.words("HUB_ALLOWED_ORIGINS", env.origins_of(HUB_PUBLIC_URL))
CSRF_TRUSTED_ORIGINS = [origin for origin in HUB_ALLOWED_ORIGINS if origin != "*"]
HUB_TRUSTED_PROXIES = env.words("HUB_TRUSTED_PROXIES", [])
HUB_DEMO_PASSWORD = env.secret("HUB_DEMO_PASSWORD", None)

# --- MQTT -----------------------------------------------------------------------------
HUB_BROKER = env.choice("HUB_BROKER", "embedded", ("embedded", "mosquitto", "emqx", "open"))
HUB_MQTT_URL = env.url("HUB_MQTT_URL", None, schemes=("mqtt", "mqtts"))
HUB_MQTT_PORT = env.port("HUB_MQTT_PORT", 1883)
HUB_MQTT_BIND = env.text("HUB_MQTT_BIND", "127.0.0.1")
HUB_PUBLIC_MQTT_URL = env.url("HUB_PUBLIC_MQTT_URL", None, schemes=("mqtt", "mqtts"))
HUB_MOSQUITTO_DIR = Path(env.text("HUB_MOSQUITTO_DIR", str(HUB_DATA_DIR / "mosquitto")))
HUB_BRIDGE_SLOT = env.slot("HUB_BRIDGE_SLOT", "main")
HUB_METRICS_PORT = env.port("HUB_METRICS_PORT", None)

# --- Databases ------------------------------------------------------------------------
HUB_DATABASE_URL = env.url("HUB_DATABASE_URL", None, schemes=("sqlite", "postgresql", "postgres"))
HUB_HISTORY_URL = env.url(
    "HUB_HISTORY_URL", None, schemes=("sqlite", "postgresql", "postgres")
) or env.history_url(HUB_DATABASE_URL, HUB_DATA_DIR / "history.sqlite3")
HUB_FRAME_LOG_MB = env.integer("HUB_FRAME_LOG_MB", 512, minimum=1)
DATABASES = {"default": env.database(HUB_DATABASE_URL, HUB_DATA_DIR / "hub.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Channel layer --------------------------------------------------------------------
HUB_REDIS_URL = env.url("HUB_REDIS_URL", None, schemes=("redis", "rediss"))
CHANNEL_LAYERS = env.channel_layers(HUB_REDIS_URL)

# --- Django ---------------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "hub.static_files.HubStaticFilesConfig",
    "channels",
    "csp",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "hub.accounts",
    "hub",
    "devices",
    "dashboard",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "hub.urls"
ASGI_APPLICATION = "hub.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_SUFFIX_KWARG = None

# --- Accounts and security ------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
KNOX_TOKEN_MODEL = "accounts.ApiToken"  # noqa: S105 - the name of a model
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
_HTTPS = HUB_PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = _HTTPS
CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HUB_TRUSTED_PROXIES else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- Static files ---------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = HUB_STATIC_DIR = env.directory("HUB_STATIC_DIR", HUB_DATA_DIR / "static")
STATICFILES_DIRS = [
    ("vendor/uplot", BASE_DIR / "node_modules" / "uplot" / "dist"),
    ("vendor/htm", BASE_DIR / "node_modules" / "htm" / "preact"),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "hub.static_files.HubStaticFiles"},
}
# What was not collected is served from where it lies.
WHITENOISE_USE_FINDERS = True

# --- REST -----------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "hub.accounts.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["devices.api.parsers.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "devices.api.schema.HubSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    # The OpenAPI document says what OPTIONS would.
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_PAGINATION_CLASS": "devices.api.pagination.Pages",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Telemetry Hub",
    "DESCRIPTION": "Register device types and devices; read latest values, history and ledgers.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Null: the page asks nobody else what they think of the document.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
}
_ERRORS = "devices.api.errors.ErrorsSerializer"
_ERROR_STATUS_CODES = ["400", "401", "403", "404", "406", "413", "415"]
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "devices.api.errors.HubExceptionHandler",
    "ALLOWED_ERROR_STATUS_CODES": _ERROR_STATUS_CODES,
    "ERROR_SCHEMAS": dict.fromkeys(_ERROR_STATUS_CODES, _ERRORS),
}

# --- Logging --------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django.channels.server": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "amqtt": {"level": "WARNING"},
        "transitions": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        # Refused requests are answers, not trouble of ours; real failures are errors.
        "django.request": {"level": "ERROR"},
    },
}
env.finish()
