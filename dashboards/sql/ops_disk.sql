-- What is free where the database lies, what it grows by in a day, and for how many days that lasts.
select disk_free_bytes as disk_free, growth_bytes as disk_growth, disk_days from disk_outlook
