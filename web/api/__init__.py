"""The REST API. ``operation.py`` declares, ``v1/`` implements, ``web.openapi`` describes."""
