"""`manage.py bench`: the product measured as it runs, on a database and workers of its own."""
