"""Telltale's way to the fleet against real brokers, over a network that is cut, with everything killed now and then.

What was told is counted by a phone, what arrived by another process that subscribes at the broker; both outside the daemon.
"""
