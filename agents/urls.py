"""The agent pages."""

from django.urls import include, path

from agents import views

app_name = "agents"
urlpatterns = [
    path("", views.agents, name="agents"),
    path("prompts/", include("agents.prompts.urls")),
    path("<slug:name>/", views.agent, name="agent"),
]
