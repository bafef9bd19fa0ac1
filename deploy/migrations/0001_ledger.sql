-- The dated ledger: who uses energy where, which meter stood where and when, and by which version we know it.
-- Ids are stable: a row is updated in place or ended by a date, never deleted and made again. Only streams.store.ledger
-- writes here, set by set, with ids it has just joined; foreign keys are checked row by row at some 8 us each, so there
-- is one for each owner and none for what is said twice (unit_id for row security) or is looked up in passing.

create extension if not exists timescaledb;

-- What views need to know of this site (the zone that local days are counted in).
create table store_setting (
    name  text primary key,
    value text not null
);
insert into store_setting (name, value) values ('zone', 'Asia/Shanghai');

create function local_zone() returns text
    language sql stable parallel safe
    return (select value from store_setting where name = 'zone');

-- An instant given as us since 1970-01-01 UTC; in two parts, as an interval is multiplied in floating point.
create function at_us(us int8) returns timestamptz
    language sql stable parallel safe
    return timestamptz '1970-01-01 00:00:00+00' + us / 3600000000 * interval '1 hour'
        + us % 3600000000 * interval '1 microsecond';

-- Units of measurement by the code that readings carry; filled from analytics.domain.units by every migration.
create table measure_unit (
    code   int2 primary key,
    symbol text not null unique,
    kind   text not null
);

create table ledger_version (
    id         int4 generated always as identity primary key,
    loaded_at  timestamptz not null default now(),
    source     text not null,                        -- file name or API client
    row_count  int4 not null,
    sha256     bytea not null check (length(sha256) = 32),
    blob       bytea not null                        -- the loaded units' normalised rows, for exact replay and audit
);
alter table ledger_version alter column blob set storage external;   -- compressed before it comes here

create table unit (
    id      int4 generated always as identity primary key,
    code    text not null unique,
    name    text not null,
    version int4 not null references ledger_version  -- the latest load that named this unit
);

-- Which units a version spoke of: the ledger as of version v is, for each unit, its latest version up to v.
create table ledger_version_unit (
    unit_id int4 not null references unit,
    version int4 not null references ledger_version,
    primary key (unit_id, version)
);
create index on ledger_version_unit (version);

create table sub_unit (
    id      int4 generated always as identity primary key,
    unit_id int4 not null references unit,
    name    text not null,
    unique (unit_id, name)
);

create table main_equipment (
    id          int4 generated always as identity primary key,
    unit_id     int4 not null references unit,
    sub_unit_id int4 references sub_unit,            -- null where it belongs to the unit as a whole
    name        text not null,
    unique nulls not distinct (unit_id, sub_unit_id, name)
);
create index on main_equipment (sub_unit_id);

create table metering_point (
    id              int4 generated always as identity primary key,
    unit_id         int4 not null references unit,
    code            text not null,
    parent_id       int4,
    parent_complete boolean not null,                -- its children cover it wholly
    level           text not null check (level in ('unit', 'sub_unit', 'equipment')),
    sub_unit_id     int4,
    equipment_id    int4,
    carrier         text not null,
    direction       text not null check (direction in ('in', 'out', 'own')),
    required        boolean not null,                -- counts in Nl, the theoretical need
    annual_use      float8,
    rated_power_kw  float8,
    amount_unit     int2 not null,                   -- measure_unit.code its amounts are in
    unique (unit_id, code)
);

create table exemption (
    point_id int4 primary key references metering_point,
    unit_id  int4 not null,
    reason   text not null
);

create table meter (
    id        int4 generated always as identity primary key,
    unit_id   int4 not null references unit,
    meter_no  text not null,                         -- management number, unique inside a unit
    serial_no text not null,
    unique (unit_id, meter_no)
);

create table register (
    id       int4 generated always as identity primary key,
    unit_id  int4 not null,
    meter_id int4 not null references meter,
    name     text not null default 'main',
    unique (meter_id, name)
);

-- A meter at a point from-to, with what its row of the ledger says; '' where the ledger says nothing.
create table installation (
    id             int4 generated always as identity primary key,
    unit_id        int4 not null,
    point_id       int4 not null references metering_point,
    meter_id       int4 not null references meter,
    installed_from timestamptz not null,
    installed_to   timestamptz not null default 'infinity' check (installed_to > installed_from),  -- half open
    multiplier     float8 not null,
    measure_unit   int2 not null,                    -- measure_unit.code of the register
    full_scale     float8,
    max_rate       float8,
    interval_s     float8,
    first_reading  float8,
    last_reading   float8,
    name           text not null,
    model          text not null,
    range          text not null,
    manufacturer   text not null,
    place          text not null,
    instrument     text not null,
    purpose        text not null,
    accuracy_class text not null,
    status         text not null,
    unique (point_id, installed_from)
);
create index on installation (meter_id, installed_from);

-- Every certificate that any version of the ledger named.
create table verification (
    meter_id         int4 not null references meter,
    unit_id          int4 not null,
    verified_on      date,
    cycle_months     int4,
    verification_due date,
    unique nulls not distinct (meter_id, verified_on, verification_due)
);
