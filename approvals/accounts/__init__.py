"""Accounts and rights as administrators change them: people, roles of one's own, queues, and what takes two people.

`approvals.access` remains the door through which roles and grants change; this room adds what stands around it:
`rehearsal` (who gains and loses), `risk` (what a second person must confirm), `acts` (the dialogs), and its pages.
"""
