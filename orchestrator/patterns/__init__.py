"""Coordinating steps as plug-ins: a pattern looks at what its tasks came to and says what happens next.

`moves` has the words it speaks, `registry` finds it by name. Pure: no Django, no clock but `Turn.now`, no randomness,
so that a turn that is repeated after a crash decides the same.
"""
