-- What follows from readings: consumption by point, totals by unit, detections. `unit_id` stands in each row for row security.

create table consumption_hour (
    start        timestamptz not null,               -- UTC hour, half open
    amount       float8 not null,                    -- in the point's canonical unit, a multiple of 1e-6
    point_id     int4 not null,
    unit_id      int4 not null,
    completeness float4 not null,                    -- share of the hour with evidence, measured or estimated
    measured     float4 not null,                    -- share without estimation
    revision     int4 not null default 0,            -- 0 as first written
    quality      int2 not null,                      -- analytics.domain.quality.HourFlag
    primary key (point_id, start)
);
select create_hypertable('consumption_hour', by_range('start', interval '7 days'), create_default_indexes => false);
alter table consumption_hour set (fillfactor = 50);

create table consumption_day (
    day          date not null,                      -- local
    amount       float8 not null,
    point_id     int4 not null,
    unit_id      int4 not null,
    completeness float4 not null,
    measured     float4 not null,
    revision     int4 not null default 0,
    quality      int2 not null,
    primary key (point_id, day)
) with (fillfactor = 50);
create index on consumption_day (unit_id, day);

-- One series of totals: an energy carrier of a unit, of one of its sub-units or of a piece of main equipment.
create table energy_series (
    id      int4 generated always as identity primary key,
    unit_id int4 not null references unit,
    scope   text not null check (scope in ('unit', 'sub_unit', 'equipment')),
    name    text not null,                           -- of the sub-unit or equipment, '' for the unit
    sub_unit text not null default '',               -- of equipment: two sub-units may each have a "pump 1"
    carrier text not null,
    unit    text not null,                           -- symbol of the amounts; steam in t is another series than in GJ
    unique (unit_id, scope, sub_unit, name, carrier, unit)
);

-- Factors to coal equivalent as they were used, by the text that names value and edition.
create table factor (
    id          int4 generated always as identity primary key,
    description text not null unique
);

create table unit_energy_hour (
    start        timestamptz not null,
    amount       float8 not null,
    tce          float8,                             -- null where no factor applies
    series_id    int4 not null references energy_series,
    unit_id      int4 not null,
    completeness float4 not null,                    -- mean over the points expected
    measured     float4 not null,
    quality      int2 not null,
    factor_id    int4 references factor,
    primary key (series_id, start)
) with (fillfactor = 50);
create index on unit_energy_hour (unit_id, start);

create table unit_energy_day (
    day          date not null,
    amount       float8 not null,
    tce          float8,
    series_id    int4 not null references energy_series,
    unit_id      int4 not null,
    completeness float4 not null,                    -- mean over the points expected
    measured     float4 not null,
    quality      int2 not null,
    factor_id    int4 references factor,
    primary key (series_id, day)
) with (fillfactor = 50);
create index on unit_energy_day (unit_id, day);

create table detection (
    id          int8 generated always as identity primary key,
    unit_id     int4 not null references unit,
    point_id    int4 not null references metering_point,
    meter_id    int4 references meter,
    kind        text not null,                       -- analytics.domain.quality.DetectionKind in lower case
    started_at  timestamptz not null,
    ended_at    timestamptz,
    detected_at timestamptz not null,
    magnitude   float8,
    confidence  float8,
    evidence    jsonb not null default '{}',
    state       text not null default 'open' check (state in ('open', 'closed', 'withdrawn')),
    stored_at   timestamptz not null default clock_timestamp(),
    unique (point_id, kind, started_at)
);
create index on detection (unit_id, started_at);
create index on detection (started_at);
