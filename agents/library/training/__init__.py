"""What trains the models in `data/`: imported by commands and tests only, never by a worker."""
