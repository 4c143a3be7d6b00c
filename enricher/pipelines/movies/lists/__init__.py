"""What a film list says, whatever program wrote it: its column names, its cells, and the forms other than CSV."""
