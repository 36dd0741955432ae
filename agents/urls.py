"""The agent pages, and those of tools and policies."""

from django.urls import path

from agents import views
from agents.policies import views as policies
from agents.tools import views as tools

app_name = "agents"
urlpatterns = [
    path("", views.agents, name="agents"),
    path("tools/", tools.tools, name="tools"),
    path("tools/<str:name>/", tools.tool, name="tool"),
    path("policies/", policies.policies, name="policies"),
    path("policies/<slug:name>/", policies.policy, name="policy"),
    path("matrix/", policies.matrix, name="matrix"),
    path("<slug:name>/", views.agent, name="agent"),
]
