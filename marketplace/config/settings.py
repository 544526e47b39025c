"""Settings, from the environment; without any, one machine with its state in ./var.

COMMONWEIGHT_STATE  folder for all that is kept                    ./var
DATABASE_URL        postgres://... or sqlite:///...                sqlite in the state folder
REDIS_URL           broker and live events                         redis://localhost:6379/0
IC_URL              HTTP interface of the chain                    as the deployment file says
DEPLOYMENT          canister ids and root key, by canisters.deploy deployment.json in the state folder
SECRET_KEY          encrypts the keys of API tokens; made at first start, mode 0600
CHALLENGES_A_MINUTE sign-ins that one address may begin            120
ALLOWED_HOSTS       comma-separated host names                     localhost
WORKER_NAME         name under which this machine's worker registers
DEBUG               1 for Django's own error pages                 0
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import dj_database_url

BASE_DIR = Path(__file__).resolve().parent.parent.parent
STATE_DIR = Path(os.environ.get("COMMONWEIGHT_STATE", BASE_DIR / "var")).resolve()
STATE_DIR.mkdir(parents=True, exist_ok=True)


def _secret_key() -> str:
    """Read the key, or make it: whole and private before anybody can see it."""
    path = STATE_DIR / "secret_key"
    if not path.exists():
        draft = STATE_DIR / f".secret_key.{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was quicker: its key counts
        finally:
            draft.unlink()
    return path.read_text()


SECRET_KEY = os.environ.get("SECRET_KEY") or _secret_key()
DEBUG = os.environ.get("DEBUG") == "1"
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")

INSTALLED_APPS = [
    "rest_framework",
    "drf_spectacular",
    "marketplace.core",
    "marketplace.chain",
    "marketplace.accounts",
    "marketplace.datasets",
    "marketplace.jobs",
    "marketplace.releases",
    "marketplace.governance",
    "marketplace.earnings",
]
MIDDLEWARE = [
    "marketplace.core.pages.SecurityHeaders",
    "marketplace.core.pages.Assets",
    "django.middleware.common.CommonMiddleware",
]
ROOT_URLCONF = "marketplace.config.urls"
ASGI_APPLICATION = "marketplace.config.asgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": []},
    }
]
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SILENCED_SYSTEM_CHECKS: list[str] = []

# SQLite: readers never wait for the one writer, and a writer takes its lock at the start, so two never deadlock half-way.
# What is deleted (a revoked token's key) is overwritten.
_SQLITE = {
    "timeout": 30,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA secure_delete=ON;",
}
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(os.environ.get("DATABASE_URL") or f"sqlite:///{STATE_DIR}/marketplace.sqlite3")
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = _SQLITE
    # A file for tests too: SQLite in memory locks whole tables, and nothing that happens at once could be tested.
    DATABASES["default"]["TEST"] = {"NAME": str(STATE_DIR / f"test-{os.getpid()}.sqlite3")}

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
DEPLOYMENT = Path(os.environ.get("DEPLOYMENT", STATE_DIR / "deployment.json"))
IC_URL = os.environ.get("IC_URL", "")
BLOB_STORE = os.environ.get("BLOB_STORE", "marketplace.core.blobs.FileBlobStore")
BLOB_DIR = Path(os.environ.get("BLOB_DIR", STATE_DIR / "blobs"))
WORKER_DIR = STATE_DIR / "worker"
WORKER_NAME = os.environ.get("WORKER_NAME", "embedded worker")
FRONTEND_DIR = BASE_DIR / "frontend" / "dist"

# What turns a trained network into further artifacts of its job; named here because `jobs` must not know `releases`.
JOB_ARTIFACT_MAKERS = ["marketplace.releases.services.release_artifacts"]

MAX_BLOB_BYTES = 5 << 20
MAX_BLOBS_BYTES = 2 << 30  # of all public blobs that one person brings
MAX_SEALED_BYTES = 8 << 30  # of one file
MAX_UPLOADS_BYTES = 32 << 30  # declared by one person
MAX_CHAIN_REQUEST_BYTES = 3 << 20  # the network takes 2 MiB; its own refusal says more than ours would
DATA_UPLOAD_MAX_MEMORY_SIZE = 6 << 20
SESSION_NS = 12 * 3600 * 10**9
CHALLENGE_NS = 5 * 60 * 10**9
TOKEN_MAX_NS = 30 * 24 * 3600 * 10**9
CHALLENGES_A_MINUTE = int(os.environ.get("CHALLENGES_A_MINUTE", "120"))  # from one address

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["marketplace.accounts.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["marketplace.core.parsers.StrictJsonParser"],
    "DEFAULT_SCHEMA_CLASS": "marketplace.core.openapi.Schema",
    "EXCEPTION_HANDLER": "marketplace.core.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
    "URL_FORMAT_OVERRIDE": None,
    "NUM_PROXIES": 0,  # whoever asks is who the connection says; uvicorn knows which proxies to trust
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Commonweight",
    "DESCRIPTION": "Model weights, owned in common by the people whose data made them. Amounts are in e8s (10^-8), times in ns.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/market/",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "/api/market/docs/files",  # from the environment, not from somebody else's server
    "SWAGGER_UI_FAVICON_HREF": "/icon.svg",
    "POSTPROCESSING_HOOKS": [],  # choices stay where they are used: as components of their own they would need made-up names
    "PATH_CONVERTER_OVERRIDES": {"id": {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}},
}

CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "commonweight"
CELERY_BEAT_SCHEDULE = {
    # Whatever happens to a message or a process, what is due is found again from the chain's own state.
    "jobs": {"task": "marketplace.jobs.tasks.jobs_look", "schedule": 2.0, "options": {"expires": 2.0}},
    "releases": {"task": "marketplace.governance.tasks.releases_look", "schedule": 2.0, "options": {"expires": 2.0}},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # Celery's beat would say every two seconds that it beats; torch's exporter narrates its passes.
    "loggers": {name: {"level": "WARNING"} for name in ("httpx", "celery", "onnx_ir", "onnxscript")},
}
