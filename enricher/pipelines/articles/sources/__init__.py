"""What articles come from: forms of feeds and of lists that need a reader of their own."""
