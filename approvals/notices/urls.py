"""What one was told, and how one is told. Included by the inbox's addresses."""

from django.urls import URLPattern, path

from approvals.notices import views

urlpatterns: list[URLPattern] = [
    path("", views.centre, name="notices"),
    path("read/", views.read, name="notices-read"),
    path("settings/", views.settings_page, name="notice-settings"),
    path("settings/hours/", views.hours, name="notice-hours"),
    path("settings/push/", views.subscribe, name="push-subscribe"),
    path("settings/push/remove/", views.unsubscribe, name="push-unsubscribe"),
    path("settings/channels/", views.add, name="channel-add"),
    path("settings/channels/<int:pk>/", views.change, name="channel-change"),
    path("settings/channels/<int:pk>/remove/", views.remove, name="channel-remove"),
    path("settings/channels/<int:pk>/test/", views.test, name="channel-test"),
]
