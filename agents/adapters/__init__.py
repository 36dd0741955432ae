"""How agents reach what does their work: language models, MCP servers."""
