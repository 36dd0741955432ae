"""The ASGI application: HTTP by Django, sockets by monitoring."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

_http = get_asgi_application()

# After the line above: consumers import models, and models need the app registry.
from monitoring.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter({"http": _http, "websocket": websocket_application})
