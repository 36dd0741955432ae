"""Where sockets arrive: `/ws/live`, from our own pages, with the session of the page."""

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.urls import path

from monitoring.consumers import LiveConsumer
from monitoring.origins import OwnOriginOnly

websocket_application = OwnOriginOnly(AuthMiddlewareStack(URLRouter([path("ws/live", LiveConsumer.as_asgi())])))
