"""Commands about a made-up region: pushed live, or sent through the whole stack and compared."""
