"""What matters in a conversation, found by rules that people can read and change."""
