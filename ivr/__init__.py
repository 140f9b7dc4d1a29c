"""IVR: flows as data, the engine that interprets them, and the prompts they speak."""
