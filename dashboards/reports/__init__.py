"""Reports that a person takes away: a workbook in the forms' columns, and a page that opens anywhere."""

from dashboards.reports.content import RegionReport, UnitReport
from dashboards.reports.page import region_page, unit_page
from dashboards.reports.workbook import region_workbook, unit_workbook

__all__ = ["RegionReport", "UnitReport", "region_page", "region_workbook", "unit_page", "unit_workbook"]
