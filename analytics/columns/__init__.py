"""Processing of readings and hours as parallel arrays: screening, register differences, hours, days, totals."""
