"""Pure rules of telephony: no I/O, no clock, no framework."""
