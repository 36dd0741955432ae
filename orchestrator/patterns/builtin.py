"""The patterns of this package: each is a module, and one line here. `registry` imports this when it is first asked."""

from orchestrator.patterns import registry

PATTERNS: tuple[registry.Pattern, ...] = ()

for pattern in PATTERNS:
    registry.register(pattern)
