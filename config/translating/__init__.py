"""Keeps the second language whole: what people read is collected from the source and held against the catalogue."""
