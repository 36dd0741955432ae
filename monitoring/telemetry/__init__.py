"""What others' systems are told: spans by OTLP, figures for Prometheus, events for a SIEM. All follow the log."""
