-- Where the server has the community edition: columnstore instead of packing, with a policy that compresses chunks at
-- rest. Run after every migration, so everything here can be said again. Packing stays off on such a server
-- (streams.store.layers asks for the license), and `reading.stored_at` is null there: compressed rows have no xmin.

do $$
begin
    if not exists (
        select from timescaledb_information.hypertables
        where hypertable_name = 'reading_hot' and compression_enabled
    ) then
        alter table reading_hot set (
            timescaledb.compress,
            timescaledb.compress_segmentby = 'register_id',
            timescaledb.compress_orderby = 'measured_at'
        );
    end if;
end
$$;

do $$
begin
    execute 'create or replace view reading as '
        || replace(pg_get_viewdef('reading'::regclass), 'stored_at(h.xmin)', 'null::timestamp with time zone');
end
$$;

select add_compression_policy('reading_hot', compress_after => interval '2 days', if_not_exists => true);

-- Keeping readings for a time only is a choice of the site: store_setting 'retain_days', which `migrate` writes.
select remove_retention_policy('reading_hot', if_exists => true);
select add_retention_policy('reading_hot', drop_after => make_interval(days => value::int), if_not_exists => true)
from store_setting where name = 'retain_days';
