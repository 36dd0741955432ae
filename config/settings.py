"""The one settings file. Every knob is an environment variable, listed in README's configuration table."""

import secrets
from pathlib import Path
from typing import Any

from config import env, logs

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("WATCHKEEPER_DATA", str(BASE_DIR / ".watchkeeper")))

DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.text("SECRET_KEY", "") or secrets.token_urlsafe(50)
ALLOWED_HOSTS = env.text("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
PUBLIC_ORIGINS = [origin for origin in env.text("PUBLIC_ORIGINS", "").split(",") if origin]
CSRF_TRUSTED_ORIGINS = PUBLIC_ORIGINS
# Where others reach us: what the secret addresses of `wait_callback` steps begin with.
PUBLIC_URL = env.text("PUBLIC_URL", PUBLIC_ORIGINS[0] if PUBLIC_ORIGINS else "http://127.0.0.1:8000").rstrip("/")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "guardian",
    "axes",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    # Where nobody signs in, its HTTP library is 10 MB of each process for nothing; it has no models.
    *(["allauth.socialaccount.providers.openid_connect"] if env.flag("WATCHKEEPER_PAGES", default=True) else []),
    "allauth.usersessions",
    "django_htmx",
    "channels",
    "agents",
    "orchestrator",
    "approvals",
    "monitoring",
    "config",
    # More apps, for agents that are no part of the product: a site's own, or those of `manage.py bench`.
    *(app for app in env.text("EXTRA_APPS", "").split(",") if app),
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.middleware.StaticFiles",
    "config.middleware.NoStore",
    "config.outage.DatabaseAway",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "config.tracing.TraceContext",
    "config.middleware.FetchSite",
    "config.middleware.NoNul",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.accounts.wall.Wall",
    "config.accounts.view_as.ViewAs",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "config.accounts.second_factor.SecondFactor",
    "config.accounts.step_up.StepUp",
    "config.accounts.seen.LastSeen",
    "django_htmx.middleware.HtmxMiddleware",
    "config.middleware.FormsOnly",
    "config.middleware.PartialRequests",
    "config.middleware.LivePosition",
    "config.middleware.UserTimeZone",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context.shell",
            ],
            "libraries": {"watchkeeper": "config.templatetags.watchkeeper"},
            "builtins": [
                "config.templatetags.watchkeeper",
                "config.templatetags.remembering",
                "django.templatetags.static",
            ],
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.database("DATABASE_URL", "postgresql://watchkeeper@127.0.0.1:5432/watchkeeper")
}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["OPTIONS"] = {
    "application_name": "watchkeeper",
    # No lock, statement or idle transaction may outlive these: an operator at night must never find a wedged database.
    "options": "-c lock_timeout=5s -c statement_timeout=30s -c idle_in_transaction_session_timeout=30s -c timezone=UTC",
}
# Shared by every web process: codes that were used, and how often somebody tried. `locmem` would be each one's own.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "approvals_cache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/sign-in/"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "config.pages.locked_out"
# django-allauth: second factors, passkeys and a provider's sign-in (docs/access.md). Nobody signs up.
ACCOUNT_ADAPTER = "config.accounts.adapters.Accounts"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
STEP_UP_SECONDS = ACCOUNT_REAUTHENTICATION_TIMEOUT = env.integer("STEP_UP_MINUTES", 10, low=1, high=720) * 60
MFA_ADAPTER = "config.accounts.adapters.SecondFactors"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Watchkeeper"
MFA_TOTP_TOLERANCE = 1  # steps of 30 s that a telephone's clock may be off
SOCIALACCOUNT_ADAPTER = "config.accounts.adapters.Provider"
SOCIALACCOUNT_AUTO_SIGNUP = False
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_PROVIDERS = env.openid_provider("OIDC")
PASSWORD_RESET_TIMEOUT = 3600
CSRF_FAILURE_VIEW = "config.pages.csrf_failure"
GUARDIAN_AUTO_PREFETCH = False
ANONYMOUS_USER_NAME = None

# How long an approval can be taken back before it goes out, in seconds by risk; a gate's definition may say otherwise.
UNDO_RUNWAY = env.spans("UNDO_RUNWAY", "high=30s,critical=2m", names=("low", "medium", "high", "critical"), most=3600.0)

HTTPS = env.flag("HTTPS", default=False)
# Behind TLS a browser binds a `__Host-` cookie to this very host: neither a neighbour nor a subdomain can set it.
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = (f"{'__Host-' if HTTPS else ''}{name}" for name in ("sessionid", "csrftoken"))
SESSION_COOKIE_AGE = 12 * 3600
WALL_DAYS = env.integer("WALL_DAYS", 30, low=1, high=365)  # a session that shows the watch floor on a wall, and no more
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
# TLS ends in front of us: there plain HTTP is redirected, and only its owner can speak for other hosts of the domain.
# Without EMAIL_URL nothing is mailed, and the page on which people choose how they are told says so (mail.E001).
# Our template library `i18n` is Django's, with words remembered, and has its name on purpose (templates.W003).
# Digests go out at eight, and Django takes that for a forgotten "now" whenever it is checked at eight (fields.W161).
SILENCED_SYSTEM_CHECKS = [
    "security.W005", "security.W008", "security.W021", "mail.E001", "templates.W003", "fields.W161",
]  # fmt: skip
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    # Browsers hold redirects after a form to this, too: that to the provider at which people sign in.
    "form-action": ["'self'", *env.openid_origins("OIDC")],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
    "object-src": ["'none'"],
    "manifest-src": ["'self'"],
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]
# Chosen in the account menu or on the sign-in page; until then the browser's own wish counts.
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = env.flag("STATIC_FROM_SOURCE", default=False)
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000

# The broker is a doorbell (docs/architecture.md): it may lose, repeat or delay messages without harm.
BROKER_URL = env.text("BROKER_URL", "filesystem://")
SHIFTS = env.integer("SHIFTS", 2, low=1, high=256)
# Workers with POOL=eu take the steps of `lane: eu` and no others; POOLS (eu=2,us=1) tells the control worker of them.
POOL = env.name("POOL", "default")
POOLS = env.counts("POOLS")
SHIFT_SECONDS = env.integer("SHIFT_SECONDS", 30, low=1, high=3600)
SHIFT_CAPACITY = env.integer("SHIFT_CAPACITY", 1000, low=1, high=100_000)
# What an agent may use in one run, unless its registration says otherwise (docs/budgets.md).
AGENT_BUDGET = {
    "documents": env.integer("AGENT_DOCUMENTS", 100, low=1, high=10**9),
    "tokens": env.integer("AGENT_TOKENS", 50_000, low=1, high=10**12),
    "minutes": env.integer("AGENT_MINUTES", 30, low=1, high=10**6),
    "calls": env.integer("AGENT_CALLS", 200, low=1, high=10**9),
}
# Backpressure: what comes over these limits is queued, or refused with 429 and Retry-After.
MOST_RUNS_PER_WORKFLOW = env.integer("MOST_RUNS_PER_WORKFLOW", 50_000, low=1, high=10_000_000)
MOST_READY_PER_LANE = env.integer("MOST_READY_PER_LANE", 500_000, low=1, high=100_000_000)
OVER_LIMIT = env.choice("OVER_LIMIT", "queue", ("queue", "refuse"))
LEASE_SECONDS = env.integer("LEASE_SECONDS", 15, low=1, high=3600)
# External workers and remote agents (docs/adapters.md).
WORKER_LEASE_SECONDS = env.integer("WORKER_LEASE_SECONDS", 30, low=2, high=3600)
AGENT_SILENT_SECONDS = env.integer("AGENT_SILENT_SECONDS", 90, low=5, high=86400)  # a fetch may be held for 30
REMOTE_AGENT_HOSTS = [host for host in env.text("REMOTE_AGENT_HOSTS", "").split(",") if host]
REMOTE_AGENT_NETWORKS = [net for net in env.text("REMOTE_AGENT_NETWORKS", "").split(",") if net]
WORKER_PATIENCE_SECONDS = env.integer("WORKER_PATIENCE_SECONDS", 3600, low=1, high=30 * 86400)
# What a worker that was asked to stop still runs after this long is given back, unjudged. The supervisor waits longer.
DRAIN_SECONDS = env.drain_seconds()

# For how many days working records are kept (docs/quality.md); the event log itself is never shortened by this.
RETENTION_DAYS = {
    "assessments": env.integer("KEEP_ASSESSMENTS_DAYS", 365, low=1, high=36_500),
    "tool_uses": env.integer("KEEP_TOOL_USES_DAYS", 400, low=91, high=36_500),  # unused entitlements look back 90
    "model_calls": env.integer("KEEP_MODEL_CALLS_DAYS", 400, low=1, high=36_500),
    "tool_calls": env.integer("KEEP_TOOL_CALLS_DAYS", 30, low=1, high=36_500),  # what went in and came back
    # What agents remember of tagged data, and what models were told in calls that wait for people.
    "sensitive": env.integer("KEEP_SENSITIVE_DAYS", 30, low=1, high=36_500),
}

# Who decides about tools (docs/tools.md): the policies stored here, or an OPA service over its data API.
POLICY_OPA_URL = env.text("POLICY_OPA_URL", "")
POLICY_OPA_TOKEN = env.text("POLICY_OPA_TOKEN", "")
POLICY_OPA_SECONDS = env.integer("POLICY_OPA_MS", 500, low=10, high=10_000) / 1000

LEGAL_HOLDS = "monitoring.retention.holds"
GATEKEEPER = "approvals.gatekeeper.Gatekeeper"
RIGHTS = "approvals.permissions"
UPKEEP = [
    "approvals.tasks.tell_people",
    "monitoring.tasks.watch_alerts",
]  # what beat rings for, and the sequencer does while the broker is away
ACCESS = "approvals.access"
MESSAGE_ENGINE = "orchestrator.messages"
# Others' buses (docs/messages.md): the first is preferred, the others stand in for it.
MESSAGE_BRIDGES = env.words("MESSAGE_BRIDGES")
MESSAGE_BRIDGE_TOPICS = env.words("MESSAGE_BRIDGE_TOPICS", "#")  # topics whose messages go out
MESSAGE_REMOTE_AGENTS = env.words("MESSAGE_REMOTE_AGENTS")  # agents elsewhere, whose messages go out
GUARD_WATCH = "orchestrator.guarding"
# So many violations of guardrails within so many seconds freeze an agent (docs/guardrails.md).
GUARD_SPIKE = env.integer("GUARD_SPIKE", 5, low=1, high=10_000)
GUARD_SPIKE_SECONDS = env.integer("GUARD_SPIKE_SECONDS", 60, low=1, high=86_400)
# What seals tagged data, newest first; without it a file in the data folder is made.
DATA_KEYS = [key for key in env.text("DATA_KEYS", "").split(",") if key]
# What signs anchors and evidence (docs/audit.md): env:NAME or file:/path; without it a file in the data folder is made.
SIGNING_KEY = env.text("SIGNING_KEY", "")
# Being told outside the product (docs/notices.md).
MAILERS = env.mailers("EMAIL_URL")
HAS_MAIL_SERVER = bool(env.text("EMAIL_URL", ""))
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "watchkeeper@localhost")
NOTICE_HOSTS = env.words("NOTICE_HOSTS")
# What a queue's own channels are written in, and people who have never chosen a language.
NOTICE_LANGUAGE = env.choice("NOTICE_LANGUAGE", "en", ("en", "de"))
# Hosts of push services besides those of the browsers' makers.
PUSH_HOSTS = env.words("PUSH_HOSTS")
# Keeping people able (docs/reviewers.md): hidden checks among what they see, own judgement first, their minutes.
CHECK_SHARE = int(env.choice("CHECK_PERCENT", "3", ("0", "2", "3", "4", "5"))) / 100
OWN_VERDICT_FIRST = env.words("OWN_VERDICT_FIRST", "high,critical")
ATTENTION = env.choice("ATTENTION", "bend", ("bend", "watch"))
# What goes to others' systems (docs/telemetry.md). Without an address nothing is collected, loaded or sent.
TRACES = env.traces()
TRACE_URL = env.web_address("TRACE_URL", holds="{trace_id}")
METRICS = env.choice("METRICS", "token", ("token", "loopback", "off"))
SIEM_URL = env.siem("SIEM_URL")
SIEM_FORMAT = env.choice("SIEM_FORMAT", "json", ("json", "cef"))
SIEM_AUTHORIZATION = env.text("SIEM_AUTHORIZATION", "")
LOG_EVENTS = env.flag("LOG_EVENTS", default=False)
OUTLETS = [name for name, wanted in (("traces", TRACES["endpoint"]), ("siem", SIEM_URL), ("log", LOG_EVENTS)) if wanted]
UPKEEP += ["monitoring.tasks.export"] if OUTLETS else []
DECISIONS = "approvals.labels"
EVENT_LOG = "orchestrator.events"

LOGGING = logs.settings(env.log_level())
logs.configure()
