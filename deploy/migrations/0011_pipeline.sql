-- How the workers themselves do, every half a minute, so that boards need no other source than this database. Written
-- by streams.agents.sampler, which also drops what is older than 30 days.

create table worker_sample (
    at              timestamptz not null,
    worker          text not null,
    span_s          float8 not null,                 -- since the sample before
    readings        int8 not null,                   -- stored in the span, as the next ones
    rejected        int8 not null,
    transactions    int8 not null,
    transaction_s   float8 not null,                 -- together
    database_wait_s float8 not null,                 -- spent waiting for a database that was away
    database_bytes  int8 not null,
    primary key (at, worker)
);

create table partition_sample (
    at             timestamptz not null,
    worker         text not null,
    partition      int4 not null,
    lag            int8,                             -- records not yet stored
    fence_age_s    float8,                           -- age of the oldest reading fetched and not stored
    snapshot_age_s float8,
    primary key (at, partition, worker)
);

create view worker_samples as select * from worker_sample;
create view partition_samples as select * from partition_sample;

insert into board.view (view, shared) values ('worker_samples', false), ('partition_samples', false);
call board.views();

-- The organizations of a Grafana that hold boards of ours: only what is written here is ever removed.
create table board.organization (
    grafana text not null,                           -- address
    org_id  int4 not null,
    unit_id int4,                                    -- null: the staff's; stays when the unit is gone
    name    text not null,
    made    boolean not null,                        -- by us; one that was there before is never removed
    primary key (grafana, org_id)
);

-- A year of all units' days is read from the index alone.
create index on unit_energy_day (series_id, day) include (unit_id, completeness, measured, tce);

-- As it was, but the zone is looked up once and not for each point and day, which took seconds over a year.
create or replace view unit_completeness as
select u.code as unit_code, u.name as unit_name, c.day, e.points as points_expected, c.points as points_with_data,
       c.completeness / nullif(e.points, 0) as completeness, c.measured / nullif(e.points, 0) as measured,
       u.id as unit_id
from unit u
cross join lateral (
    select d.day, count(*) as points, sum(d.completeness) as completeness, sum(d.measured) as measured
    from consumption_day d where d.unit_id = u.id group by d.day
) c
cross join lateral (
    select count(distinct i.point_id) as points
    from metering_point p join installation i on i.point_id = p.id
    where p.unit_id = u.id
        and i.installed_from < (c.day + 1)::timestamp at time zone (select local_zone())
        and i.installed_to > c.day::timestamp at time zone (select local_zone())
) e;
call board.views();
