-- Seconds for which the oldest stale total has waited.
select coalesce(extract(epoch from now() - stale_since), 0) as value from pipeline_backlog
