"""The ASGI application: HTTP by Django, sockets by monitoring."""

import gc
import os

# As in workers (config.celery_command): what is loaded stays, and is not looked through meanwhile.
gc.disable()

from channels.routing import ProtocolTypeRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Under ASGI each request has a thread of its own, and would open a connection of its own: log in, fill PostgreSQL's
# caches, plan the engine's functions. A web process shares warm ones. Only here: workers fork, which no pool survives.
# The pool waits a second, then two, when it finds idle connections dead: after a restart the first request takes three.
settings.DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 2, "max_size": 20, "timeout": 5.0}

_http = get_asgi_application()

# After the line above: consumers import models, and models need the app registry.
from config import mcp_server  # noqa: E402
from monitoring.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter({"http": mcp_server.beside(_http), "websocket": websocket_application})

# Nor does a request wait while it is looked at again.
gc.freeze()
gc.enable()
