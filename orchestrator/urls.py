"""Runs, workflows and the stop control."""

from django.urls import path

from orchestrator import (
    act_views,
    group_views,
    note_views,
    pattern_views,
    quality_views,
    remedy_views,
    schedule_views,
    stop_views,
    team_views,
    views,
    words_views,
    workflow_views,
)

app_name = "orchestrator"
urlpatterns = [
    path("runs/", views.runs, name="runs"),
    path("runs/start/", views.start_which, name="start-which"),
    path("runs/upcoming/", schedule_views.upcoming, name="upcoming"),
    path("runs/<int:pk>/", views.run, name="run"),
    path("runs/<int:pk>/words/", words_views.words, name="run-words"),
    path("runs/incomplete/", remedy_views.incomplete, name="incomplete"),
    path("tasks/<int:pk>/remedies/", remedy_views.remedies, name="remedies"),
    path("tasks/<int:pk>/say/", note_views.say, name="say"),
    path("runs/<int:pk>/files/<int:artifact_pk>/", views.artifact, name="artifact"),
    path("act/<slug:scope>/<slug:address>/", act_views.menu, name="acts"),
    path("act/<slug:scope>/<slug:address>/<slug:name>/", act_views.act, name="act"),
    path("patterns/", pattern_views.patterns, name="patterns"),
    path("patterns/<slug:name>/", pattern_views.pattern, name="pattern"),
    path("workflows/", workflow_views.workflows, name="workflows"),
    path("workflows/schema.json", workflow_views.schema, name="schema"),
    path("workflows/<slug:name>/", workflow_views.workflow, name="workflow"),
    path("workflows/<slug:name>/signals/", group_views.make, name="group-make"),
    path("workflows/<slug:name>/signals/<slug:group>/<slug:verb>/", group_views.change, name="group-change"),
    path("workflows/<slug:name>/schedules/", schedule_views.make, name="schedule-make"),
    path("workflows/<slug:name>/schedules/preview/", schedule_views.preview, name="schedule-preview"),
    path("workflows/<slug:name>/schedules/<slug:schedule>/<slug:verb>/", schedule_views.change, name="schedule-change"),
    path("workflows/<slug:name>/start/", views.start, name="start"),
    path("agents/quality/authority/", quality_views.weigh, name="quality-weigh"),
    path("agents/quality/<slug:name>/calibrate/", quality_views.calibrate, name="quality-calibrate"),
    path("agents/evaluations/items/<int:pk>/close/", quality_views.close_item, name="evaluation-close"),
    path("agents/<slug:name>/uses/", workflow_views.agent_uses, name="agent-uses"),
    path("out-of-service/", workflow_views.out_of_service, name="out-of-service"),
    path("teams/", team_views.teams, name="teams"),
    path("teams/<int:pk>/", team_views.team, name="team"),
    path("stop/", stop_views.stop, name="stop"),
    path("stop/<int:pk>/", stop_views.stop_effect, name="stop-effect"),
    path("stop/<int:pk>/lift/", stop_views.lift_stop, name="lift-stop"),
]
