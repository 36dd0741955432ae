"""Who answers for what: teams of a hub and its spokes, queues that teams own, RACI, and who is on call for a queue.

Nothing here gives a right. It says who of those who have the right is asked, told and named; where nobody of them
could act it says so on its page, and everybody who may act is asked as if nothing had been set.
"""
