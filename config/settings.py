"""Settings. Every operator's knob is an environment variable read here and nowhere else; docs/operations.md lists them."""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from config.sweeps import SWEEPS

BASE_DIR = Path(__file__).resolve().parent.parent


# How alike a typed word and a word of a subnet must be to match, by shared groups of three letters: two swapped
# letters in six leave 0.27; of two words that begin alike ("matmul", "matrices") the likeness is below.
WORD_SIMILARITY = 0.25


def flag(name: str, *, default: bool = False) -> bool:
    """Read an on/off variable: 1, true, yes and on are on."""
    return os.environ.get(name, str(default)).strip().lower() in {"1", "true", "yes", "on"}


def database(url: str) -> dict[str, object]:
    """Turn postgresql://user:password@host:port/name into Django's dictionary."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL must start with postgresql://")
    return {
        "ENGINE": "config.postgres",
        "NAME": unquote(parts.path.lstrip("/")) or "postgres",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        # Reconnecting per request caps everything at about 200 requests a second.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        # A write that waits longer than this for a lock answers "try again" instead of piling up.
        "OPTIONS": {
            # A killed process's transaction, which holds locks and waits for more, ends within a second of it.
            "options": "-c lock_timeout=5s -c statement_timeout=60s "
            "-c client_connection_check_interval=1s "
            f"-c pg_trgm.strict_word_similarity_threshold={WORD_SIMILARITY} "
            # Statements of ledger.prepared are planned once, at their second use: each finds its rows by an index.
            "-c plan_cache_mode=force_generic_plan",
        },
    }


DEBUG = flag("DEBUG")
SECRET_KEY = os.environ.get("SECRET_KEY", "")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured("Set SECRET_KEY (or DEBUG=1 on your own machine).")
    SECRET_KEY = "only-for-a-developers-own-machine"  # noqa: S105  refused above where DEBUG is off

ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "127.0.0.1,localhost").split(",")
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("CSRF_TRUSTED_ORIGINS", "").split(",") if o]
SITE_URL = os.environ.get("SITE_URL", "http://127.0.0.1:8000")
SITE_NAME = "Subnet Exchange"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "config.apps.StaffAdminConfig",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "drf_standardized_errors",
    "pgtrigger",
    "ledger",
    "subnets",
    "compute",
    "marketplace",
]

MIDDLEWARE = [
    "config.tracing.TracingMiddleware",
    "config.spans.SpansMiddleware",
    "config.metrics.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Pages and JSON shrink to a sixth. Safe beside secrets: CSRF tokens are masked anew in every answer, and the
    # middleware adds random bytes, so that lengths tell nothing (BREACH; docs/decisions/0024).
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "marketplace.pages.signed_out.SignedOutMiddleware",
    "config.security.SecurityHeadersMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "marketplace.pages.context.site",
            ],
            "builtins": ["marketplace.templatetags.figures"],
        },
    },
]

DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
DATABASES = {"default": database(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
REDIS_CACHE = "django.core.cache.backends.redis.RedisCache"
CACHES = {"default": {"BACKEND": REDIS_CACHE, "LOCATION": REDIS_URL}}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = ["config.formats"]

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(os.environ.get("STATIC_ROOT", BASE_DIR / "staticfiles"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEBUG
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}

# People -----------------------------------------------------------------------------------------

AUTH_USER_MODEL = "marketplace.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
# With no mail server there is no link to click: verification is asked for once EMAIL_HOST is set. From then on
# signing up with an address that has an account looks like any other (ACCOUNT_PREVENT_ENUMERATION, on by default).
# Before, who signs up is let in at once, so an address that is taken has to be said to be.
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if os.environ.get("EMAIL_HOST") else "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
# Second factors. How long a proof of one stands for what moves money, in the session that gave it.
SECOND_FACTOR_MINUTES = int(os.environ.get("SECOND_FACTOR_MINUTES", "5"))
ACCOUNT_REAUTHENTICATION_TIMEOUT = SECOND_FACTOR_MINUTES * 60
# Whoever approves withdrawals signs in with more than a password; a developer's own staff need not.
STAFF_SECOND_FACTOR = flag("STAFF_SECOND_FACTOR", default=not DEBUG)
# Where a factor is set up, that is what is asked for; else the password (pages.entrance).
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_ADAPTER = "marketplace.pages.entrance.AccountAdapter"
# Of what becomes a notice allauth sends no mail; of a changed address it writes to the old one.
ACCOUNT_EMAIL_NOTIFICATIONS = True
# Whose address an act came from: only what the own proxy said is believed.
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if flag("BEHIND_PROXY") else 0
MFA_ADAPTER = "marketplace.pages.entrance.MfaAdapter"
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_FORMS = {
    "add_webauthn": "marketplace.pages.passkeys.AddPasskeyForm",
    "edit_webauthn": "marketplace.pages.passkeys.RenamePasskeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
# A factor binds the account to whoever sets it up, so the address is confirmed before; where mail is sent at all.
MFA_ALLOW_UNVERIFIED_EMAIL = not os.environ.get("EMAIL_HOST")
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "wallet"
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
EMAIL_HOST = os.environ.get("EMAIL_HOST", "")
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if EMAIL_HOST
    else "django.core.mail.backends.console.EmailBackend"
)
EMAIL_TIMEOUT = 10  # seconds; without it a mail server that is silent would hold a worker for ever
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "market@localhost")

# The browser -------------------------------------------------------------------------------------

SECURE = SITE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = SECURE
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if flag("BEHIND_PROXY") else None
X_FRAME_OPTIONS = "DENY"
# The largest legal result is a 256x256 int32 matrix, 350 kB.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
# Event streams are served by their own small ASGI process. Behind a proxy it is the same origin ("");
# without one, its port on the same host.
EVENTS_PORT = os.environ.get("EVENTS_PORT", "")
# Where miners open their tunnels, and consumers send their requests: one address a gateway, with blanks between.
GATEWAY_URLS = os.environ.get("GATEWAY_URLS", "").split()
# The gateway's journal: on a disk that outlives its process, or answers that were given are not paid.
GATEWAY_STATE = os.environ.get("GATEWAY_STATE", str(BASE_DIR / ".state" / "gateway"))

# API ----------------------------------------------------------------------------------------------

REST_FRAMEWORK: dict[str, object] = {
    # The first one's scheme is what a 401 asks for.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "marketplace.api.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.parsing.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "config.openapi.Schema",
    "EXCEPTION_HANDLER": "config.problems.problem_response",
    # A caller may write X-Forwarded-For as it likes; only what the own proxy added to it is an address.
    "NUM_PROXIES": 1 if flag("BEHIND_PROXY") else 0,
}
# Bucket → requests/seconds, where the usual rate does not fit: RATE_LIMITS="bid=120/60 read=1200/60".
RATE_LIMITS = dict(pair.split("=", 1) for pair in os.environ.get("RATE_LIMITS", "").split())
DRF_STANDARDIZED_ERRORS = {"EXCEPTION_FORMATTER_CLASS": "config.problems.ProblemFormatter"}
SPECTACULAR_SETTINGS = {
    "TITLE": "Subnet marketplace",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "ENUM_NAME_OVERRIDES": {
        "AuctionState": "marketplace.models.Auction.State",
        "AuctionFormat": "marketplace.models.Auction.Format",
        "AuctionBacking": "marketplace.models.Auction.Backing",
        "ReservePolicy": "marketplace.models.Auction.ReservePolicy",
        "JobState": "compute.models.Job.State",
        "DeliveryState": "marketplace.models.Delivery.State",
        "WithdrawalState": "marketplace.models.Withdrawal.State",
        "EndpointState": "marketplace.api.webhook_wire.SWITCHED",
        "NoticeKind": "marketplace.notices.WORDS",
        "RuleState": "subnets.models.IncentiveRule.State",
        "Blueprint": "subnets.models.Blueprint",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.openapi.with_problems",
    ],
}

# The network --------------------------------------------------------------------------------------

# One block. The chain's is 12 s; the demo runs the same rules on a faster clock.
BLOCK_MS = int(os.environ.get("BLOCK_MS", "12000"))
# The server's own sr25519 address: requests of miners and validators are signed for this receiver.
SERVER_HOTKEY_SEED = os.environ.get("SERVER_HOTKEY_SEED", SECRET_KEY)

# Auctions: a bid in the last SOFT_CLOSE_S seconds moves the end, never past SOFT_CLOSE_CAP_S in all.
AUCTION_SOFT_CLOSE_S = int(os.environ.get("AUCTION_SOFT_CLOSE_S", "600"))
AUCTION_SOFT_CLOSE_CAP_S = int(os.environ.get("AUCTION_SOFT_CLOSE_CAP_S", "7200"))
AUCTION_FEE_BPS = int(os.environ.get("AUCTION_FEE_BPS", "250"))
AUCTION_ROYALTY_BPS = int(os.environ.get("AUCTION_ROYALTY_BPS", "0"))

# Sealed maxima are encrypted with a key derived from the first of these; the others open what was sealed before.
SEALED_BIDS_KEYS = [
    secret for secret in os.environ.get("SEALED_BIDS_KEY", SECRET_KEY).split(",") if secret
]

# What an account may take from the treasury once, to try things with; 0 switches it off. For demos only.
TEST_TAO_PER_ACCOUNT = int(os.environ.get("TEST_TAO_PER_ACCOUNT", "0"))

# Compute: how often the network plants known-answer jobs of its own, and how long a miner has for a job.
CANARY_EVERY_S = float(os.environ.get("CANARY_EVERY_S", "30"))
# Whether chats at temperature 0 are asked of another owner's miner now and then, to compare.
REPEAT_CHATS = os.environ.get("REPEAT_CHATS", "1") == "1"
REPLICATE_JOBS = os.environ.get("REPLICATE_JOBS", "1") == "1"
LEASE_WAITS_MAX = int(os.environ.get("LEASE_WAITS_MAX", "16"))
LEASE_S = float(os.environ.get("LEASE_S", "60"))
VERIFY_S = float(os.environ.get("VERIFY_S", "120"))

# Cards. Without a key the rail is off and the wallet page says so.
CARDS_ON = os.environ.get("CARDS", "1") == "1"
STRIPE_SECRET_KEY = os.environ.get("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRET = os.environ.get("STRIPE_WEBHOOK_SECRET", "")
# Of events about accounts that people connect: Stripe signs them with another secret, to an address of their own.
STRIPE_CONNECT_WEBHOOK_SECRET = os.environ.get("STRIPE_CONNECT_WEBHOOK_SECRET", "")
STRIPE_API_BASE = os.environ.get("STRIPE_API_BASE", "")  # empty: Stripe's own
STRIPE_PAYOUT_COUNTRY = os.environ.get("STRIPE_PAYOUT_COUNTRY", "us")
TOPUP_RAO_PER_CENT = int(os.environ.get("TOPUP_RAO_PER_CENT", "28571"))  # 350 USD per TAO
# What one account, and one card over all accounts, may pay in 24 hours; how many cards may fail before a pause.
CARD_ACCOUNT_CENTS_A_DAY = int(os.environ.get("CARD_ACCOUNT_CENTS_A_DAY", "1000000"))
CARD_CENTS_A_DAY = int(os.environ.get("CARD_CENTS_A_DAY", "1000000"))
CARD_FAILURES_A_DAY = int(os.environ.get("CARD_FAILURES_A_DAY", "5"))
# From this amount the card's bank is asked to ask its customer (3-D Secure).
CARD_3DS_CENTS = int(os.environ.get("CARD_3DS_CENTS", "10000"))
# What a card paid for can be withdrawn after a week, above the small amount after the time banks take disputes.
CARD_SMALL_CENTS = int(os.environ.get("CARD_SMALL_CENTS", "10000"))
CARD_CLEARING_DAYS_SMALL = int(os.environ.get("CARD_CLEARING_DAYS_SMALL", "7"))
CARD_CLEARING_DAYS_LARGE = int(os.environ.get("CARD_CLEARING_DAYS_LARGE", "120"))

# What is not spent of a payment that its bank calls fraud is refunded by itself: up to this payment, and this in a day.
FRAUD_REFUNDS_ON = os.environ.get("FRAUD_REFUNDS", "1") == "1"
FRAUD_REFUND_CENTS_MAX = int(os.environ.get("FRAUD_REFUND_CENTS_MAX", "50000"))
FRAUD_REFUND_CENTS_A_DAY = int(os.environ.get("FRAUD_REFUND_CENTS_A_DAY", "500000"))

# Above this a debt is forgiven by two people: together with what the owner was forgiven, or the asker had forgiven, lately.
DEBT_TWO_PEOPLE_RAO = int(os.environ.get("DEBT_TWO_PEOPLE_RAO", str(10**9)))

# Withdrawals. CHAIN names what sends TAO: nothing, or "rehearsal", which writes down what it would send.
WITHDRAWALS_ON = os.environ.get("WITHDRAWALS", "1") == "1"
PAYOUTS_ON = os.environ.get("PAYOUTS", "1") == "1"
CHAIN = os.environ.get("CHAIN", "")
CHAIN_HOT_RAO = int(os.environ.get("CHAIN_HOT_RAO", str(10_000 * 10**9)))
WITHDRAWAL_RAO_MIN = int(os.environ.get("WITHDRAWAL_RAO_MIN", str(10**7)))
WITHDRAWAL_RAO_A_DAY = int(os.environ.get("WITHDRAWAL_RAO_A_DAY", str(1_000 * 10**9)))
WITHDRAWAL_TWO_PEOPLE_RAO = int(os.environ.get("WITHDRAWAL_TWO_PEOPLE_RAO", str(100 * 10**9)))
WITHDRAWAL_FEE_RAO = int(os.environ.get("WITHDRAWAL_FEE_RAO", "1000000"))
WITHDRAWAL_RAO_PER_CENT = int(os.environ.get("WITHDRAWAL_RAO_PER_CENT", str(TOPUP_RAO_PER_CENT)))
# For so long money waits after a new address, a new bank at Stripe, a new second factor.
WITHDRAWAL_ADDRESS_HOURS = int(os.environ.get("WITHDRAWAL_ADDRESS_HOURS", "48"))
WITHDRAWAL_ACCOUNT_HOURS = int(os.environ.get("WITHDRAWAL_ACCOUNT_HOURS", "72"))
WITHDRAWAL_FACTOR_HOURS = int(os.environ.get("WITHDRAWAL_FACTOR_HOURS", "48"))

# Webhooks that go out. Loopback is for a developer's own receiver: never where strangers can register an address.
WEBHOOK_PORTS = [int(port) for port in os.environ.get("WEBHOOK_PORTS", "443,8443").split(",")]
WEBHOOKS_TO_LOOPBACK = flag("WEBHOOKS_TO_LOOPBACK")

# Where spans go; its SDK reads the same name.
OTEL_EXPORTER_OTLP_ENDPOINT = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
# Metrics. Without a token there is no /metrics; without a folder each process knows of itself alone.
METRICS_TOKEN = os.environ.get("METRICS_TOKEN", "")
PROMETHEUS_MULTIPROC_DIR = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")

# Celery -------------------------------------------------------------------------------------------

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# What Flower shows is made of events; nobody listening, they go nowhere.
CELERY_WORKER_SEND_TASK_EVENTS = CELERY_TASK_SEND_SENT_EVENT = True
CELERY_TASK_TIME_LIMIT = 300  # a sweep is a bounded batch; one that runs longer is stuck
SWEEP_S = float(os.environ.get("SWEEP_S", "1"))
CELERY_BEAT_SCHEDULER = "config.beat:SweepScheduler"  # none is sent while it waits
CELERY_BEAT_SCHEDULE = {
    name: {"task": task, "schedule": SWEEP_S * factor} for name, task, factor in SWEEPS
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "config.logs.RequestIdFilter"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "json" if os.environ.get("LOG_FORMAT") == "json" else "line",
            "filters": ["request_id"],
        }
    },
    "formatters": {
        "line": {
            "format": "{asctime} {levelname} {name} {message} request={request_id}",
            "style": "{",
        },
        "json": {"()": "config.logs.JsonLines"},
    },
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "INFO")},
}
