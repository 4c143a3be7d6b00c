"""Feeds and pages: their articles fetched, read and analysed."""
