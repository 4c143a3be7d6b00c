"""How a request travels: over a pooled requests Session, or over aiohttp."""
