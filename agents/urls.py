"""The agent pages."""

from django.urls import path

from agents import views
from agents.messaging import views as messages

app_name = "agents"
urlpatterns = [
    path("", views.agents, name="agents"),
    path("messages/", messages.page, name="messages"),
    path("messages/dead/", messages.requeue, name="messages-requeue"),
    path("messages/replay/", messages.replay, name="messages-replay"),
    path("messages/routing/", messages.subscribe, name="messages-subscribe"),
    path("messages/routing/<int:pk>/enable/", messages.change, {"verb": "enable"}, name="messages-enable"),
    path("messages/routing/<int:pk>/disable/", messages.change, {"verb": "disable"}, name="messages-disable"),
    path("messages/routing/<int:pk>/remove/", messages.change, {"verb": "remove"}, name="messages-remove"),
    path("messages/<uuid:uid>/", messages.message, name="message"),
    path("<slug:name>/", views.agent, name="agent"),
]
