-- Seconds since a worker last said how it does; a day where none did.
select extract(epoch from now() - coalesce(max(at), now() - interval '1 day')) as value from worker_samples where at > now() - interval '1 day'
