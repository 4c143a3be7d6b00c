"""Lists of films, enriched from TMDB."""
