"""Callback campaigns: decides whom to call back, when and how often.

Callers' own requests («please call me back») arrive in ``crm`` today; planning and dialling build on them.
"""
