"""How effects are performed: one thing after the other, in threads, or in asyncio tasks."""
