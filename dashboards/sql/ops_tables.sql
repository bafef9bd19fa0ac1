-- The largest tables, with the chunks of those that are split by time.
select coalesce(h.table_name, c.relname)::text as table_name, sum(pg_total_relation_size(c.oid)) as bytes,
       sum(greatest(c.reltuples, 0))::int8 as rows_about
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_inherits i on i.inhrelid = c.oid
left join pg_class t on t.oid = i.inhparent
left join lateral (select t.relname as table_name where n.nspname = '_timescaledb_internal') h on true
where c.relkind = 'r' and n.nspname in ('public', '_timescaledb_internal')
group by 1 order by 2 desc limit 20
