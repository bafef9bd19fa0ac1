-- For how long the disk lasts, told before it is too late: what is free where the database lies, which a worker beside it
-- sees, and how fast the database has grown in a week.

alter table worker_sample add column disk_free_bytes int8;   -- null where the database is on another machine
create or replace view worker_samples as select * from worker_sample;

create view disk_outlook as
with growth as (
    select case when max(at) - min(at) >= interval '1 day'
               then 86400 * regr_slope(database_bytes::float8, extract(epoch from at)::float8) end as bytes
    from worker_sample where at > now() - interval '7 days'
), free as (
    select disk_free_bytes as bytes from worker_sample
    where at > now() - interval '1 day' and disk_free_bytes is not null order by at desc limit 1
)
select free.bytes as disk_free_bytes, growth.bytes as growth_bytes,
       case when growth.bytes > 0 then free.bytes / growth.bytes end as disk_days
from growth left join free on true;

insert into board.view (view, shared) values ('disk_outlook', false);
call board.views();
