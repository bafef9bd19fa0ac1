"""The commands of `meterwarden`, one module each, imported when they are called."""
