"""Synthetic centres in virtual time, to see what the pacing makes of them."""
