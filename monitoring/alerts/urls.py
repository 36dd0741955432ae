"""The pages of alerts: what is open, what was, rules, silences, who is on call, runbooks."""

from django.urls import path

from monitoring.alerts import rule_views, views

app_name = "alerts"
urlpatterns = [
    path("", views.alerts, name="alerts"),
    path("history/", views.history, name="history"),
    path("rules/", rule_views.rules, name="rules"),
    path("rules/new/", rule_views.new, name="rule-new"),
    path("rules/try/", rule_views.attempt, name="rule-try"),
    path("rules/<slug:name>/", rule_views.rule, name="rule"),
    path("rules/<slug:name>/remove/", rule_views.remove, name="rule-remove"),
    path("silences/", views.silences, name="silences"),
    path("silences/<int:pk>/end/", views.end_silence, name="silence-end"),
    path("on-call/", rule_views.on_call, name="on-call"),
    path("runbooks/", views.runbooks, name="runbooks"),
    path("runbooks/<slug:name>/", views.runbook, name="runbook"),
    path("<int:pk>/", views.alert, name="alert"),
    path("<int:pk>/acknowledge/", views.acknowledge, name="acknowledge"),
    path("<int:pk>/assign/", views.assign, name="assign"),
    path("<int:pk>/silence/", views.silence, name="silence"),
    path("<int:pk>/steps/<slug:key>/", views.step, name="step"),
]
