"""Which version of an agent works, how it does against its targets, and what happens when it falls short."""
