"""Watch floor, audit trail, search, and the shell's own regions."""

from django.urls import path

from monitoring import views

app_name = "monitoring"
urlpatterns = [
    path("", views.floor, name="floor"),
    path("search/", views.search, name="search"),
    path("shell/", views.shell, name="shell"),
    path("audit/", views.audit, name="audit"),
    path("audit/export/", views.export, name="export"),
    path("audit/verify/", views.verify, name="verify"),
    path("audit/evidence/", views.evidence, name="evidence"),
    path("audit/narrative/", views.narrative, name="narrative"),
]
