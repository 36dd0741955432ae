"""An app of agents for the chaos tests, installed in real workers by EXTRA_APPS."""
