"""The agent pages, and those of tools and policies."""

from django.urls import include, path

from agents import views
from agents.evaluation import views as evaluation
from agents.guardrails import views as guardrails
from agents.memory import views as memory
from agents.messaging import views as messages
from agents.policies import views as policies
from agents.quality import views as quality
from agents.systems.views import systems
from agents.tools import views as tools

app_name = "agents"
urlpatterns = [
    path("", views.agents, name="agents"),
    path("tools/", tools.tools, name="tools"),
    path("tools/<str:name>/", tools.tool, name="tool"),
    path("policies/", policies.policies, name="policies"),
    path("policies/<slug:name>/", policies.policy, name="policy"),
    path("systems/", systems, name="systems"),
    path("matrix/", policies.matrix, name="matrix"),
    path("messages/", messages.page, name="messages"),
    path("messages/dead/", messages.choose, name="messages-choose"),
    path("messages/routing/", messages.listen, name="messages-listen"),
    path("messages/<uuid:uid>/", messages.message, name="message"),
    path("guardrails/", guardrails.guardrails, name="guardrails"),
    path("guardrails/rules/", guardrails.rule, name="guard-rule"),
    path("guardrails/consents/", guardrails.consents, name="guard-consents"),
    path("guardrails/reveal/", guardrails.reveal, name="reveal"),
    path("memory/", memory.memory, name="memory"),
    path("memory/erase/", memory.erase, name="memory-erase"),
    path("memory/<int:pk>/<slug:verb>/", memory.change, name="memory-change"),
    path("quality/", quality.quality, name="quality"),
    path("quality/<slug:name>/", quality.agent_quality, name="agent-quality"),
    path("evaluations/", evaluation.evaluations, name="evaluations"),
    path("evaluations/<int:pk>/", evaluation.evaluation, name="evaluation"),
    path("evaluations/<int:pk>/cases/<int:number>/", evaluation.case, name="evaluation-case"),
    path("evaluations/<int:pk>/against/<int:other>/", evaluation.comparison, name="comparison"),
    path("evaluations/datasets/<int:pk>.jsonl", evaluation.dataset, name="dataset"),
    path("prompts/", include("agents.prompts.urls")),
    path("<slug:name>/", views.agent, name="agent"),
]
