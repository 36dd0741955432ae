"""The agent pages."""

from django.urls import path

from agents import views

app_name = "agents"
urlpatterns = [
    path("", views.agents, name="agents"),
    path("<slug:name>/", views.agent, name="agent"),
]
