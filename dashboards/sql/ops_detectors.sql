-- How right each detector was, as found on site.
select kind, cases, verdicts, faulty, data_path, sound, load_changed, 100 * precision as precision, median_days_to_verdict, overdue
from case_statistics order by cases desc
