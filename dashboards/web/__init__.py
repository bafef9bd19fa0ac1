"""The pages' content: boards' values as HTML tables and SVG charts, templates, texts and questions. No sockets here."""
