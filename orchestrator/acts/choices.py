"""Choices in the forms of acts, with what people call each option: here for acts of other apps, too."""

from orchestrator.forms import choice as choice
