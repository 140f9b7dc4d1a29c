"""App: composition root, settings, command line, migrations, demo company, private runtime."""
