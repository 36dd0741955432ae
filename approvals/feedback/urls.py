"""Feedback and what is learned from it. A secret is 43 characters, so no page's name is ever read as one."""

from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter

from approvals.feedback import give_views, proposal_views, usability_views, views


class Secret(StringConverter):
    """A token as `secrets.token` makes them."""

    regex = "[A-Za-z0-9_-]{43}"


register_converter(Secret, "secret")

app_name = "feedback"
urlpatterns: list[URLPattern] = [
    path("", views.index, name="feedback"),
    path("give/", give_views.give, name="give"),
    path("links/", give_views.run_links, name="links"),
    path("links/<int:pk>/revoke/", give_views.revoke_link, name="revoke-link"),
    path("patterns/", views.patterns, name="patterns"),
    path("lessons/", views.lessons, name="lessons"),
    path("lessons/draft/", views.draft, name="draft"),
    path("lessons/export.jsonl", views.export, name="export"),
    path("lessons/<int:pk>/choose/", views.choose, name="choose"),
    path("improvements/", views.improvements, name="improvements"),
    path("improvements/<int:pk>/close/", views.close_improvement, name="close-improvement"),
    path("proposals/", proposal_views.listed, name="proposals"),
    path("proposals/<int:pk>/", proposal_views.shown, name="proposal"),
    path("proposals/<int:pk>/accept/", proposal_views.decide, {"do": "accept"}, name="accept"),
    path("proposals/<int:pk>/decline/", proposal_views.decide, {"do": "decline"}, name="decline"),
    path("backtest/", proposal_views.backtest_page, name="backtest"),
    path("backtest/<slug:name>/", proposal_views.in_editor, name="backtest-editor"),
    path("retrospective/", views.retro, name="retrospective"),
    path("usability/", usability_views.report, name="usability"),
    path("usability/record/", usability_views.record, name="record-usability"),
    path("usability/<int:pk>/find/", usability_views.find, name="find-usability"),
    path("usability/findings/<int:pk>/close/", usability_views.close, name="close-usability"),
    path("survey/", views.answer_survey, name="survey"),
    path("<int:pk>/answer/", views.answer, name="answer"),
    path("form/<secret:secret>/", give_views.form, name="form"),
    path("<secret:secret>/", give_views.receipt, name="receipt"),
]
