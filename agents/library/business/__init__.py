"""Business intelligence and due diligence: what figures and records say about a company."""
