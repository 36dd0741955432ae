"""Watch floor, audit trail, search, and the shell's own regions."""

from django.urls import path

from monitoring import views
from monitoring.costs import views as costs
from monitoring.digests import views as digests
from monitoring.metrics import views as metrics
from monitoring.retention import views as holds
from monitoring.telemetry import views as telemetry

app_name = "monitoring"
urlpatterns = [
    path("", views.floor, name="floor"),
    path("search/", views.search, name="search"),
    path("shell/", views.shell, name="shell"),
    path("audit/", views.audit, name="audit"),
    path("audit/export/", views.export, name="export"),
    path("audit/verify/", views.verify, name="verify"),
    path("audit/holds/", holds.shown, name="holds"),
    path("audit/holds/place/", holds.place, name="place-hold"),
    path("audit/holds/<int:pk>/release/", holds.release, name="release-hold"),
    path("audit/evidence/", views.evidence, name="evidence"),
    path("audit/narrative/", views.narrative, name="narrative"),
    path("telemetry/", telemetry.outlets, name="telemetry"),
    path("analytics/", metrics.metrics, name="metrics"),
    path("analytics/costs/", costs.costs, name="costs"),
    path("analytics/costs/statements/<str:month>/", costs.statement, name="statement"),
    path("analytics/costs/savings/<str:month>/", costs.saved, name="savings"),
    path("analytics/costs/worth/", costs.roi, name="worth"),
    path("analytics/costs/tiers/", costs.set_tier, name="tier"),
    path("analytics/costs/tiers/<int:team>/sponsor/", costs.stand_for, name="sponsor"),
    path("analytics/digests/", digests.digests, name="digests"),
    path("analytics/digests/<int:pk>/", digests.digest, name="digest"),
    path("analytics/digests/<slug:kind>/running/", digests.running, name="digest-running"),
    path("analytics/digests/<slug:kind>/wish/", digests.wish, name="digest-wish"),
    path("analytics/workflows/<slug:name>/", metrics.workflow, name="metrics-workflow"),
    path("analytics/workflows/<slug:name>/promise/", metrics.promise, name="metrics-promise"),
    path("analytics/workflows/<slug:name>/baseline/", metrics.baseline, name="metrics-baseline"),
    path("analytics/behind/<slug:key>/", metrics.what_is_behind, name="metrics-behind"),
]
