"""Tests, one package per layer; see docs/testing.md."""
