"""A believable small company, so that a newcomer sees the product at work. All people are invented."""
