"""Templates of the pages and their style; a package, so that they ship with it."""
