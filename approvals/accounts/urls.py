"""The pages of access."""

from django.urls import URLPattern, URLResolver, path

from approvals.accounts import answerable_views, views

app_name = "access"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.people, name="people"),
    path("people/<int:pk>/", views.person, name="person"),
    path("people/<int:pk>/link/", views.link, name="link"),
    path("people/<int:pk>/link/end/", views.end_link, name="link-end"),
    path("people/<int:pk>/tokens/<int:token>/revoke/", views.revoke_token, name="token-revoke"),
    path("roles/", views.roles, name="roles"),
    path("roles/<int:pk>/", views.role, name="role"),
    path("queues/", views.queues, name="queues"),
    path("queues/<slug:name>/", views.queue, name="queue"),
    path("responsibilities/", answerable_views.answerable, name="answerable"),
    path("changes/", views.changes, name="changes"),
]
