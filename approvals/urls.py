"""The inbox and its cards."""

from django.urls import URLPattern, URLResolver, include, path

from approvals import acts, away_views, desk_views, views
from approvals.able.urls import guarded
from approvals.able.urls import urlpatterns as able
from approvals.importing.views import import_answers
from approvals.records.views import decision_record

app_name = "approvals"
urlpatterns: list[URLPattern | URLResolver] = [
    *able,
    path("", views.inbox, name="inbox"),
    path("history/", views.history, name="history"),
    path("notices/", include("approvals.notices.urls")),
    path("views/", desk_views.keep_view, name="keep-view"),
    path("views/<int:pk>/remove/", desk_views.remove_view, name="remove-view"),
    path("sit/", desk_views.sit, name="sit"),
    path("keys/", desk_views.keys, name="keys"),
    path("<int:pk>/snooze/", desk_views.snooze, name="snooze"),
    path("<int:pk>/wake/", desk_views.wake, name="wake"),
    path("<int:pk>/alike/", desk_views.batch, name="alike"),
    path("standing/", acts.standing, name="standing"),
    path("answers/", import_answers, name="import-answers"),
    path("away/", away_views.away, name="away"),
    path("away/<int:pk>/end/", away_views.end, name="end-delegation"),
    path("<int:pk>/hand/", away_views.hand, name="hand"),
    path("<int:pk>/", views.gate, name="gate"),
    path("<int:pk>/decide/", views.decide, name="decide"),
    path("<int:pk>/record/", decision_record, name="record"),
    path("<int:pk>/aftermath/", acts.aftermath, name="aftermath"),
    path("<int:pk>/claim/", acts.claim, name="claim"),
    path("<int:pk>/release/", acts.release, name="release"),
    path("<int:pk>/comments/", acts.comment, name="comment"),
    path("<int:pk>/ask/", acts.ask, name="ask"),
    path("<int:pk>/draft/", acts.draft, name="draft"),
    path("<int:pk>/take-back/", acts.take_back, name="take-back"),
    path("<int:pk>/let-go/", acts.let_go, name="let-go"),
    path("going-out/", acts.going_out, name="going-out"),
    path("<int:pk>/presence/", acts.presence, name="presence"),
]
urlpatterns = guarded(urlpatterns)
