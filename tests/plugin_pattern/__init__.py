"""An app that brings a pattern of its own: two agents answer the same question, the longer answer is taken."""
