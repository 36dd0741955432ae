"""The agent pages."""

from django.urls import path

from agents import views
from agents.evaluation import views as evaluation
from agents.quality import views as quality

app_name = "agents"
urlpatterns = [
    path("", views.agents, name="agents"),
    path("quality/", quality.quality, name="quality"),
    path("quality/<slug:name>/", quality.agent_quality, name="agent-quality"),
    path("evaluations/", evaluation.evaluations, name="evaluations"),
    path("evaluations/<int:pk>/", evaluation.evaluation, name="evaluation"),
    path("evaluations/<int:pk>/cases/<int:number>/", evaluation.case, name="evaluation-case"),
    path("evaluations/<int:pk>/against/<int:other>/", evaluation.comparison, name="comparison"),
    path("evaluations/datasets/<int:pk>.jsonl", evaluation.dataset, name="dataset"),
    path("<slug:name>/", views.agent, name="agent"),
]
