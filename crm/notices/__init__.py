"""Notices: what people must hear about, on their pages and by message.

A fact of another part (``facts.py``) becomes a notice by a rule (``rules.yaml``, table ``notice_rule``): who,
how urgent, over which channels. On the pages it is read from ``notice``; outside it goes through
``outgoing_message``, which is a queue, and a :class:`crm.notices.ports.MessageSender` per channel.
"""
