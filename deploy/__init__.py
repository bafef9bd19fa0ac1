"""The only package that reads settings and starts things."""
