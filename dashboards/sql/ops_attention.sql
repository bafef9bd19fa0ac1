-- What needs somebody's attention in the pipeline, with a number; one row that says so where all is well.
with sample as materialized (
    select worker, at from worker_samples where at > now() - interval '1 day' order by at desc limit 1
), wrong as (
    select 1 as place, 'no_sample' as attention, extract(epoch from now() - (select max(at) from sample)) as seconds, null::int8 as messages
    where coalesce((select max(at) from sample), '-infinity') < now() - interval '2 minutes'
    union all
    select 2, 'not_stored', max(p.fence_age_s), sum(p.lag)::int8
    from partition_samples p join sample s on (s.at, s.worker) = (p.at, p.worker)
    where p.fence_age_s > 300
    having count(*) > 0
    union all
    select 3, 'stale_hours', extract(epoch from now() - stale_since), stale_marks
    from pipeline_backlog where stale_since < now() - interval '10 minutes'
    union all
    select 4, 'messages_failed', extract(epoch from now() - min(oldest_at)), sum(messages)::int8
    from outbox_state where state = 'failed' having count(*) > 0
    union all
    select 5, 'messages_wait', extract(epoch from now() - min(oldest_at)), sum(messages)::int8
    from outbox_state where state in ('waiting', 'sending') and oldest_at < now() - interval '1 hour' having count(*) > 0
    union all
    select 6, 'disk_full_soon', null, floor(disk_days)::int8 from disk_outlook where disk_days < 30
    union all
    select 7, 'backup_late', age_s, null from last_backup where age_s > kept_s / 2
)
select attention, seconds::float8 as waits_for, messages as how_many from (
    select place, attention, seconds, messages from wrong
    union all
    select 0, 'all_well', null, null where not exists (select from wrong)
) a
order by place
