"""
The one settings file. Machines differ by their environment only; nothing else reads it.

Everything that is wrong with the environment is said at once, before anything is computed from it.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env(eager=False)
VAR_DIR = Path(env.str("VAR_DIR", "") or BASE_DIR / "var")
# What quickstart made; the real environment wins.
env.read_env(str(VAR_DIR / "secrets.env"), recurse=False)

RATE = validate.Regexp(r"^\d+/(s|min|h|d)$", error="must look like 10/min")

ENV = env.str("ENV", "TEST", validate=validate.OneOf(["TEST", "PRODUCTION"]))
DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", validate=validate.Length(min=32))
JWT_SECRET_KEY = env.str("JWT_SECRET_KEY", validate=validate.Length(min=32))
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEY", subcast=str.strip)
EVENTBRIDGE_SECRET = env.str("EVENTBRIDGE_SECRET", "")

API_HOST = env.str("API_HOST", "127.0.0.1")
API_PORT = env.int("API_PORT", 8000, validate=validate.Range(min=0, max=65535))
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"], subcast=str.strip)
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", [], subcast=str.strip)
# In production there is at least the proxy that ends TLS: our own server speaks none.
NUM_PROXIES = env.int(
    "NUM_PROXIES", 1 if ENV == "PRODUCTION" else 0, validate=validate.Range(min=0, max=10)
)

DATABASE_URL = env.str("DATABASE_URL", "") or f"sqlite:///{VAR_DIR}/db.sqlite3"
DB_POOL_SIZE = env.int("DB_POOL_SIZE", 10, validate=validate.Range(min=0))
DB_POOL_OVERFLOW = env.int("DB_POOL_OVERFLOW", 20, validate=validate.Range(min=0))
REDIS_URL = env.str("REDIS_URL", "")
HEARTBEAT_FILE = env.str("HEARTBEAT_FILE", "")

ACCESS_TOKEN_EXPIRE_MINUTES = env.int(
    "ACCESS_TOKEN_EXPIRE_MINUTES", 1440, validate=validate.Range(min=1)
)
REFRESH_TOKEN_EXPIRE_DAYS = env.int("REFRESH_TOKEN_EXPIRE_DAYS", 30, validate=validate.Range(min=1))
BCRYPT_ROUNDS = env.int("BCRYPT_ROUNDS", 12, validate=validate.Range(min=4, max=20))
THROTTLE_LOGIN = env.str("THROTTLE_LOGIN", "10/min", validate=RATE)
THROTTLE_LOGIN_ADDRESS = env.str("THROTTLE_LOGIN_ADDRESS", "60/min", validate=RATE)
THROTTLE_REGISTER = env.str("THROTTLE_REGISTER", "60/min", validate=RATE)
THROTTLE_API = env.str("THROTTLE_API", "1200/min", validate=RATE)

SANDBOX_MAX_ACTIVE_SESSIONS = env.int(
    "SANDBOX_MAX_ACTIVE_SESSIONS", 5, validate=validate.Range(min=1)
)
STREAM_REQUIRE_TICKET = env.bool("STREAM_REQUIRE_TICKET", ENV == "PRODUCTION")
AWS_ENDPOINT_URL = env.str("AWS_ENDPOINT_URL", "")
# For `manage.py evaluate` only: in a session, credentials are what its owner gave.
AWS_ACCESS_KEY_ID = env.str("AWS_ACCESS_KEY_ID", "")
AWS_SECRET_ACCESS_KEY = env.str("AWS_SECRET_ACCESS_KEY", "")
AWS_SESSION_TOKEN = env.str("AWS_SESSION_TOKEN", "")
RISK_MODEL_PATH = env.str("RISK_MODEL_PATH", "")
EXPERIMENT_LOG_DAYS = env.int("EXPERIMENT_LOG_DAYS", 90, validate=validate.Range(min=1))
ARCHIVE_BUCKET = env.str("ARCHIVE_BUCKET", "")
ARCHIVE_REGION = env.str("ARCHIVE_REGION", "us-east-1")

LOG_LEVEL = env.str(
    "LOG_LEVEL", "INFO", validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR"])
)
LOG_FORMAT = env.str("LOG_FORMAT", "text", validate=validate.OneOf(["text", "json"]))
ACCESS_LOG = env.bool("ACCESS_LOG", True)
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
METRICS_HOST = env.str("METRICS_HOST", "127.0.0.1")
METRICS_PORT = env.int("METRICS_PORT", 0, validate=validate.Range(min=0, max=65535))
JOB_RUN_DAYS = env.int("JOB_RUN_DAYS", 14, validate=validate.Range(min=1))
env.seal()

IS_PRODUCTION = ENV == "PRODUCTION"
DATABASE: Any = {}


def _unsafe_in_production() -> list[str]:
    problems = []
    if DEBUG:
        problems.append("DEBUG must be off in production.")
    if "*" in CORS_ALLOWED_ORIGINS:
        problems.append("CORS_ALLOWED_ORIGINS must name the origins that may call the API.")
    if "*" in ALLOWED_HOSTS:
        problems.append("ALLOWED_HOSTS must name the hosts this server answers for.")
    if AWS_ENDPOINT_URL:
        problems.append("AWS_ENDPOINT_URL must be empty in production: the emulator is not AWS.")
    if len({SECRET_KEY, JWT_SECRET_KEY, *ENCRYPTION_KEYS}) < 2 + len(ENCRYPTION_KEYS):
        problems.append("SECRET_KEY, JWT_SECRET_KEY and ENCRYPTION_KEY must differ.")
    for name, value in [("SECRET_KEY", SECRET_KEY), ("JWT_SECRET_KEY", JWT_SECRET_KEY)]:
        if len(set(value)) < 10 or "change" in value.lower() or "insecure" in value.lower():
            problems.append(f"{name} looks like a default: set a long random value.")
    if NUM_PROXIES == 0:
        problems.append(
            "NUM_PROXIES must count at least the proxy that ends TLS in production: set it to 1."
        )
    if 0 < len(METRICS_TOKEN) < 32:
        problems.append("METRICS_TOKEN is short: set at least 32 characters.")
    if STREAM_REQUIRE_TICKET is False:
        problems.append("STREAM_REQUIRE_TICKET must stay on in production.")
    return problems


def _refuse_to_start() -> None:
    """Say everything that is unsafe in this environment, at once."""
    problems = []
    try:
        DATABASE.update(dj_database_url.parse(DATABASE_URL))
    except ValueError:  # its own message would show the password
        problems.append("DATABASE_URL is not a database's URL: write postgresql://user@host/name.")
    try:
        for key in ENCRYPTION_KEYS:
            Fernet(key)
    except ValueError:
        problems.append(
            "ENCRYPTION_KEY must be a Fernet key, or several separated by commas. Make one with: "
            'python -c "from cryptography.fernet import Fernet; '
            'print(Fernet.generate_key().decode())"'
        )
    if not ENCRYPTION_KEYS:
        problems.append("ENCRYPTION_KEY is empty: set a Fernet key.")
    if IS_PRODUCTION:
        problems += _unsafe_in_production()
    if problems:
        raise ImproperlyConfigured(" ".join(problems))


_refuse_to_start()

# --- Django

INSTALLED_APPS = [
    "daphne",
    "spot_optimizer.operations.apps.OperatorsAdminConfig",  # django.contrib.admin's
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "corsheaders",
    "csp",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "django_celery_beat",
    "django_celery_results",
    "spot_optimizer.apps.SpotOptimizerConfig",
    "spot_optimizer.dashboard",
    "streaming",
    "spot_optimizer.market",
    "accounts",
    "lab",
    "sandbox",
    "spot_optimizer.operations.apps.OperationsConfig",
]
MIDDLEWARE = [
    "spot_optimizer.observability.request_log.request_log_middleware",
    "django.middleware.security.SecurityMiddleware",
    "spot_optimizer.middleware.StaticFiles",
    "spot_optimizer.middleware.EmulatorHeader",
    "corsheaders.middleware.CorsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "spot_optimizer.middleware.CommonExceptProbes",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "spot_optimizer.middleware.DatabaseUnavailable",
]
ROOT_URLCONF = "spot_optimizer.urls"
CSRF_FAILURE_VIEW = "spot_optimizer.dashboard.pages.csrf_failure"
ASGI_APPLICATION = "spot_optimizer.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "spot_optimizer" / "dashboard" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "spot_optimizer.dashboard.pages.emulator_flag",
            ],
        },
    },
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False  # a trailing slash is another URL: 404, as the contract says
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
STATIC_URL = "/static/"
# Served from where the packages ship them, in production too: nothing to collect, or to forget.
WHITENOISE_USE_FINDERS = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # 1 MiB of JSON, then 413

# --- Database: SQLite by default, PostgreSQL by DATABASE_URL

IS_SQLITE = DATABASE["ENGINE"].endswith("sqlite3")
DATABASE_OPTIONS: dict[str, Any] = (
    {
        "transaction_mode": "IMMEDIATE",  # or concurrent read-then-write would dead-lock
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    if IS_SQLITE
    else {
        "pool": {
            "min_size": min(DB_POOL_SIZE, 1),
            "max_size": max(DB_POOL_SIZE + DB_POOL_OVERFLOW, 1),
            "timeout": 20,
        }
    }
)
DATABASES = {
    "default": {
        **DATABASE,
        "ENGINE": DATABASE["ENGINE"] if IS_SQLITE else "spot_optimizer.postgresql",
        "CONN_MAX_AGE": 0,  # the pool keeps connections; SQLite's cost nothing
        "CONN_HEALTH_CHECKS": IS_SQLITE,  # PostgreSQL's are made by our backend, less often
        "OPTIONS": {**DATABASE.get("OPTIONS", {}), **DATABASE_OPTIONS},
        # A file: threads that share SQLite's ":memory:" get "table is locked".
        "TEST": {"NAME": f"{VAR_DIR}/test.sqlite3"} if IS_SQLITE else {},
    }
}

# --- Files: archived experiments in a folder by default, in S3 by ARCHIVE_BUCKET

STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    # Either puts a whole file in the place of another, or changes nothing.
    "archive": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": ARCHIVE_BUCKET,
            "region_name": ARCHIVE_REGION,
            "endpoint_url": AWS_ENDPOINT_URL or None,
            "addressing_style": "path" if AWS_ENDPOINT_URL else "auto",
            "file_overwrite": True,
            "max_memory_size": 4 * 1024 * 1024,  # or a file read back is in memory as a whole
        },
    }
    if ARCHIVE_BUCKET
    else {
        "BACKEND": "lab.archive.storage.AtomicFileStorage",
        "OPTIONS": {
            "location": VAR_DIR / "archive",
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
}

# --- Accounts

AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["accounts.passwords.BCryptHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": JWT_SECRET_KEY,
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=ACCESS_TOKEN_EXPIRE_MINUTES),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=REFRESH_TOKEN_EXPIRE_DAYS),
    # Or a server whose clock is a second behind refuses what another has just issued.
    "LEEWAY": timedelta(seconds=10),
    "USER_ID_CLAIM": "sub",
    "UPDATE_LAST_LOGIN": False,
}

# --- API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.FamilyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.throttles.ApiThrottle"],
    "DEFAULT_PARSER_CLASSES": ["spot_optimizer.api.parsers.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "spot_optimizer.api.negotiation.ContentNegotiation",
    "DEFAULT_PAGINATION_CLASS": "spot_optimizer.api.pagination.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "spot_optimizer.api.schema.Schema",
    "EXCEPTION_HANDLER": "spot_optimizer.api.exceptions.exception_handler",
    "NUM_PROXIES": NUM_PROXIES,
    "NON_FIELD_ERRORS_KEY": "non_field_errors",
    "COERCE_DECIMAL_TO_STRING": False,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Spot Optimizer Platform",
    "DESCRIPTION": "Evaluate an EC2 instance against every comparable spot pool, live.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",  # 3.0 cannot say "this object or null"
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",  # what follows it groups the page
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "SessionStateEnum": "sandbox.models.SandboxSession.State",
        "PreflightStateEnum": "sandbox.models.SandboxSession.Preflight",
        "EvaluationStateEnum": "sandbox.models.Evaluation.State",
    },
}

# --- Background work and streams: in-process by default, Redis by REDIS_URL

CELERY_BROKER_URL = REDIS_URL or "memory://localhost/"
CELERY_BROKER_TRANSPORT = "spot_optimizer.worker.broker:Transport" if REDIS_URL else None
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A row for each run of a periodic job; all other tasks leave none. Our own job deletes old ones:
# Celery's would be put back into the schedule at each start.
CELERY_RESULT_BACKEND = "spot_optimizer.operations.job_runs:JobRuns"
CELERY_RESULT_BACKEND_THREAD_SAFE = True  # or each request that asks for a task makes one: 3 ms
CELERY_RESULT_EXTENDED = True
CELERY_RESULT_EXPIRES = None
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # or a worker would end when Redis is away for long
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TRACK_STARTED = True  # of those that leave a row
CELERY_TASK_ACKS_LATE = True  # every task is safe to run twice, so run it again after a crash
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Jobs wait for AWS, and share what they have loaded of the market: threads, not processes.
CELERY_IMPORTS = ["spot_optimizer.worker.heartbeat"]
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = 8
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "spot_optimizer.worker.scheduler:HeartbeatScheduler"
CELERY_BEAT_SYNC_EVERY = 1  # or what was asked for last would be known minutes late
CELERY_BEAT_SCHEDULE: dict[str, object] = {}  # the schedule is rows, made by migrations
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = (
    {"visibility_timeout": 3600, "socket_timeout": 5, "socket_connect_timeout": 3}
    if REDIS_URL
    else {"polling_interval": 0.05}
)
DJANGO_CELERY_BEAT_TZ_AWARE = True
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        # A group is joined anew at each wait: channels of dead processes need not stay for a day.
        "CONFIG": {"hosts": [REDIS_URL], "group_expiry": 60},
    }
    if REDIS_URL
    else {"BACKEND": "streaming.layers.ThreadSafeLayer"}
}
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "accounts.rate_limits.CountingRedis",
        "LOCATION": REDIS_URL,
        # Each request counts itself here: where Redis hangs, nobody shall hang with it.
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 2},
    }
    if REDIS_URL
    else {
        "BACKEND": "accounts.rate_limits.CountingMemory",
        "OPTIONS": {"MAX_ENTRIES": 100_000},  # with the stock 300, guessers push out their counts
    }
}

# --- Safety

SELF = "'self'"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        # Swagger UI and the browsable API set style attributes.
        "style-src": [SELF, "'unsafe-inline'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": [SELF],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = IS_PRODUCTION
CSRF_COOKIE_SECURE = IS_PRODUCTION
SECURE_SSL_REDIRECT = IS_PRODUCTION
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if NUM_PROXIES else None
# Load balancers, the container itself and Prometheus ask for these in the clear, and by address.
PROBED_PATHS = ("/health", "/health/live", "/health/ready", "/metrics")
SECURE_REDIRECT_EXEMPT = [f"^{path[1:]}$" for path in PROBED_PATHS]
SECURE_HSTS_SECONDS = 31536000 if IS_PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = IS_PRODUCTION
SECURE_HSTS_PRELOAD = IS_PRODUCTION

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s%(context)s"},
        "json": {"()": "spot_optimizer.observability.logs.JsonLines"},
    },
    "filters": {
        "downgrade_refusals": {"()": "spot_optimizer.observability.logs.DowngradeRefusals"},
        "context": {"()": "spot_optimizer.observability.logs.ContextFilter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["downgrade_refusals", "context"],
        }
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # botocore logs headers and bodies of requests at DEBUG: never, whatever the level.
        "botocore": {"level": "WARNING"},
        "boto3": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
        "channels_redis": {"level": "WARNING"},
    },
}
