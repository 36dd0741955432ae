"""The agent pages."""

from django.urls import path

from agents import views
from agents.guardrails import views as guardrails
from agents.memory import views as memory

app_name = "agents"
urlpatterns = [
    path("", views.agents, name="agents"),
    path("guardrails/", guardrails.guardrails, name="guardrails"),
    path("guardrails/rules/", guardrails.rule, name="guard-rule"),
    path("guardrails/consents/", guardrails.consents, name="guard-consents"),
    path("guardrails/reveal/", guardrails.reveal, name="reveal"),
    path("memory/", memory.memory, name="memory"),
    path("memory/erase/", memory.erase, name="memory-erase"),
    path("memory/<int:pk>/<slug:verb>/", memory.change, name="memory-change"),
    path("<slug:name>/", views.agent, name="agent"),
]
