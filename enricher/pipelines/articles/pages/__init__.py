"""What a page's answer tells beside its text: cookies, and where it refers to."""
