"""Other frameworks' agents as ours: each bridge is an optional extra and is imported only by who uses it."""
