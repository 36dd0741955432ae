"""Messages between agents: typed, durable, delivered once to each reader, with bridges to others' buses."""
