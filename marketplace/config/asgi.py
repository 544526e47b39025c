"""The ASGI application: `uvicorn marketplace.config.asgi:application`."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.config.settings")

django = get_asgi_application()

from django.conf import settings  # noqa: E402  # settings exist once Django is set up

from marketplace.core.body_limit import BodyLimit  # noqa: E402

application = BodyLimit(django, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
