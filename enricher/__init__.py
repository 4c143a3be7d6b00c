"""A list goes in, a table comes out, as fast as the API's quota allows and no faster, and no row is ever lost."""
