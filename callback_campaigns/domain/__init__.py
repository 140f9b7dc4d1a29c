"""Rules of callbacks, without I/O."""
