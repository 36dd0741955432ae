"""Keeps the second language whole: what people read is collected from templates and modules, and held against the catalogue."""
