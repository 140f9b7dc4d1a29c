"""Telephony: the PBX seen through AMI and FastAGI; calls, queues and agents."""
