"""Legal holds: what is recorded about some runs stays, however old it is."""
