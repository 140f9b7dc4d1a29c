"""Imports customers and projects from a sheet: read, checked row by row, then written all or nothing."""
