"""Maintenance of machines: what their sensors' readings say, and the work that follows."""
