"""Kernel: what every package stands on.

Ids, clock, errors, events, bus, outbox, due rows, database, supervision, phone numbers, business time.
"""
