"""How the marketplace is put together: settings from the environment, addresses, the ASGI application, Celery."""
