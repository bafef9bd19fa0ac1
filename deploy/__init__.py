"""Entry points: settings, commands and services. No other package reads the environment or starts processes."""
