"""What this package can enrich out of the box, one folder a pipeline."""
