"""Asterisk's configuration: what is rendered (`model`), its rules (`checks`) and the files (`render`)."""
