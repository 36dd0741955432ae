"""Contracts and regulation: what texts oblige to, and what is missing."""
