"""Presentation: Grafana boards, web pages' content and reports, over the store's views."""
