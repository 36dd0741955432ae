"""Synthetic history at the size of years: what `manage.py seed_volume` and `bench pages` store."""
