"""From a prompt's text, or a recording, to audio that Asterisk plays."""
