"""A throw-away site with two partner systems: what ``connector demo`` shows and the tests drive.

The partner systems are written against the standards alone and share no code with the connector's
own edges, so that a fault of the connector cannot hide behind the same fault in its partner.
"""
