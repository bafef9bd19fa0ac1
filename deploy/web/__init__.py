"""The web pages: sign-in, what a person may see by role, and what can be done; content is `dashboards.web`'s."""

from deploy.web.app import PagesConfig, create_pages

__all__ = ["PagesConfig", "create_pages"]
