-- Readings that have come to rest, packed: a row is a run of readings of one register within one UTC day. What a run
-- holds is exact. Times and scaled values are lines with deviations: base + step * i + scale * deviation(i), where
-- deviations that are all 0 are not stored. A value is such a whole number over `divisor`, or float8 where no power of
-- ten makes all of a run whole; streams.store.packing writes it, `reading_unpacked` below is the way back.

create table reading_history (
    start          timestamptz not null,             -- measured_at of the first reading
    received_from  timestamptz not null,             -- received_at of the first reading
    stored_at      timestamptz not null,             -- when the last of them was stored; '-infinity' where not known
    measured_step  int8 not null,                    -- us
    received_step  int8 not null,                    -- us
    value_base     int8 not null,
    value_step     int8 not null,
    divisor        float8 not null,
    day            date not null,                    -- UTC, of every reading of the run
    register_id    int4 not null,
    measured_scale int4 not null,                    -- us
    received_scale int4 not null,                    -- us
    readings       int2 not null check (readings > 0),
    quality        int2 not null,                    -- of all, where `qualities` is null
    unit           int2 not null,                    -- of all, where `units` is null
    measured2      int2[],
    measured4      int4[],
    received2      int2[],
    received4      int4[],
    value2         int2[],
    value4         int4[],
    value8         float8[],
    qualities      int2[],
    units          int2[],
    primary key (register_id, day, start)
) with (toast_tuple_target = 4080);                  -- a run is read as a whole: keep it in its page
select create_hypertable('reading_history', by_range('day', interval '7 days'), create_default_indexes => false);
create index on reading_history using brin (day) with (pages_per_range = 32, autosummarize = on);

create view reading_unpacked as
select h.start + (h.measured_step * e.i + coalesce(h.measured2[e.i + 1], h.measured4[e.i + 1], 0) * h.measured_scale::int8)
           * interval '1 microsecond' as measured_at,
       h.received_from
           + (h.received_step * e.i + coalesce(h.received2[e.i + 1], h.received4[e.i + 1], 0) * h.received_scale::int8)
           * interval '1 microsecond' as received_at,
       coalesce(h.value8[e.i + 1],
                (h.value_base + h.value_step * e.i + coalesce(h.value2[e.i + 1], h.value4[e.i + 1], 0))::float8
                    / h.divisor) as value,
       h.register_id,
       coalesce(h.qualities[e.i + 1], h.quality) as quality,
       coalesce(h.units[e.i + 1], h.unit) as unit,
       h.day, h.start, nullif(h.stored_at, '-infinity') as stored_at
from reading_history h cross join lateral generate_series(0, h.readings - 1) as e (i);

-- Every accepted reading. Both halves are restricted before they are joined: by register (also through unit code,
-- meter number or point) and by `day`; the narrow half by `measured_at` too. PostgreSQL cannot conclude from a time
-- that was unpacked which rows to unpack, so a question about long ago that names no meter must name the days.
create or replace view reading as
select u.code as unit_code, p.code as point, m.meter_no, r.name as register, h.measured_at, h.received_at,
       stored_at(h.xmin) as stored_at, h.value, s.symbol as unit, h.quality, h.register_id, i.point_id, r.unit_id,
       (h.measured_at at time zone 'UTC')::date as day
from reading_hot h
join register r on r.id = h.register_id
left join meter m on m.id = r.meter_id
left join unit u on u.id = r.unit_id
left join measure_unit s on s.code = h.unit
left join installation i
    on i.meter_id = r.meter_id and h.measured_at >= i.installed_from and h.measured_at < i.installed_to
left join metering_point p on p.id = i.point_id
union all
select u.code, p.code, m.meter_no, r.name, h.measured_at, h.received_at, h.stored_at, h.value, s.symbol, h.quality,
       h.register_id, i.point_id, r.unit_id, h.day
from reading_unpacked h
join register r on r.id = h.register_id
left join meter m on m.id = r.meter_id
left join unit u on u.id = r.unit_id
left join measure_unit s on s.code = h.unit
left join installation i
    on i.meter_id = r.meter_id and h.measured_at >= i.installed_from and h.measured_at < i.installed_to
left join metering_point p on p.id = i.point_id;

-- The same between two instants, half open, with the days named: what boards should ask.
create function readings(since timestamptz, until timestamptz) returns setof reading
    language sql stable parallel safe
begin atomic
    select * from reading
    where measured_at >= since and measured_at < until
        and day between (since at time zone 'UTC')::date and (until at time zone 'UTC')::date;
end;
