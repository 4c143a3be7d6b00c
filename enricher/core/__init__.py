"""What decides. Nothing here waits, reads a clock, or touches a wire, a disk or a random source."""
