"""What calls cost, who pays, what is left, what will come, and what it is worth (docs/costs.md)."""
