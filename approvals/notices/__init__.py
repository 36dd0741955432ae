"""Being told: what waits for a person, on the page and through the channels they chose.

`telling` reads the sealed log and writes *notices*; `delivering` takes them to channels. A notice is an address,
never a credential: whoever follows its link signs in and decides on the card.
"""
