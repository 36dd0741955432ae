"""Finding things in the sealed log, and handing over what proves them."""
