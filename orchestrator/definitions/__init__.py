"""Workflow definitions: read, checked, compiled to plans, and the expressions in them."""

import sys
from types import ModuleType

# cel loads its own command line when it is imported, and with that a toolkit for terminals: 7 MB and 0.3 s in
# every process, for a prompt that nobody here sees. Finding this in its place, it loads none of that.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
