-- Readings as the meters said them, narrow: 32 data bytes a row, widest columns first so that nothing is padded.
-- No unique index (the fence makes each row once only) and none that COPY would feel: a block range index costs it
-- nothing measurable. A chunk that has come to rest gets an index by register and time (streams.store.layers).

create table reading_hot (
    measured_at timestamptz not null,
    received_at timestamptz not null,
    value       float8 not null,                     -- dial, before the multiplier
    register_id int4 not null,
    quality     int2 not null,                       -- analytics.domain.quality.ReadingFlag
    unit        int2 not null                        -- measure_unit.code, as stated
);
select create_hypertable('reading_hot', by_range('measured_at', interval '1 day'), create_default_indexes => false);

create index on reading_hot using brin (measured_at) with (pages_per_range = 32, autosummarize = on);

-- When a row was committed; null where the server does not keep commit timestamps or has forgotten them.
create function stored_at(row_xmin xid) returns timestamptz
    language plpgsql stable parallel safe
as $$
begin
    if current_setting('track_commit_timestamp') <> 'on' or row_xmin::text::int8 < 3 then
        return null;
    end if;
    return pg_xact_commit_timestamp(row_xmin);
end
$$;
