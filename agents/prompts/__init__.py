"""Prompts: versioned, reviewed, sandboxed text for language models."""
