"""Addresses of the pages of prompts."""

from django.urls import path

from agents.prompts import views

urlpatterns = [
    path("", views.prompts, name="prompts"),
    path("new/", views.write, name="new-prompt"),
    path("<slug:name>/", views.prompt, name="prompt"),
    path("<slug:name>/draft/", views.write, name="draft-prompt"),
    path("<slug:name>/<int:number>/act/", views.act, name="act-on-prompt"),
    path("<slug:name>/<int:number>/rendered/", views.rendered, name="render-prompt"),
]
