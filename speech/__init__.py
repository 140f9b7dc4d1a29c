"""Speech: audio to text on the customer's record, and the voices that speak to callers."""
