"""Kernel: ids, clock, errors, events, bus, outbox, due rows, database base, supervision, phone numbers, business time."""
