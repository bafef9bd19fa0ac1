-- Which meters can be trusted: the open and closed life of a detection, what a balance can see at all, what inspectors
-- found, and where the balance engine stands.

alter table detection
    add severity             text not null default 'warning'                   -- analytics.health.severity
        check (severity in ('info', 'warning', 'serious')),
    add magnitude_low        float8,                 -- 95 % interval of `magnitude`, where one can be said
    add magnitude_high       float8,
    add magnitude_unit       text,                   -- 'h', 's', 'share', 'decades', 'readings' or the dial's unit
    add energy_affected      float8,                 -- in the point's canonical unit; null where it cannot be said
    add energy_affected_low  float8,
    add energy_affected_high float8,
    add opened_at            timestamptz not null default clock_timestamp(),   -- when it was first written
    add updated_at           timestamptz not null default clock_timestamp(),   -- when it was last written
    add revision             int4 not null default 0,                          -- how often it was written anew
    add relayed              boolean not null default true;                    -- this revision is on the topic
alter table detection alter column relayed set default false;
update detection set severity = 'info'
where kind in ('gap', 'duplicate', 'rollover', 'replacement', 'multiplier_change');
update detection set severity = 'serious'
where kind in ('stuck', 'scale', 'ratio', 'reset', 'rollback', 'undeclared_replacement', 'gain_step', 'gain_drift');
create index on detection (id) where not relayed;
create index on detection (unit_id, kind) where state = 'open';

create or replace view detection_list as
select u.code as unit_code, p.code as point, m.meter_no, d.kind, d.started_at, d.ended_at, d.detected_at, d.magnitude,
       d.confidence, d.evidence, d.state, d.stored_at, d.id, d.point_id, d.meter_id, d.unit_id,
       u.name as unit_name, p.carrier, d.severity, d.magnitude_low, d.magnitude_high, d.magnitude_unit,
       d.energy_affected, d.energy_affected_low, d.energy_affected_high, s.symbol as energy_unit,
       d.opened_at, d.updated_at, d.revision
from detection d
left join unit u on u.id = d.unit_id
left join metering_point p on p.id = d.point_id
left join meter m on m.id = d.meter_id
left join measure_unit s on s.code = p.amount_unit;

-- What could be seen of a meter's faults at all: one row a point and question.
create table observability (
    unit_id      int4 not null references unit,
    point_id     int4 not null references metering_point,
    question     text not null,                      -- 'drift', 'ratio', 'balance', ...
    verdict      text not null check (verdict in ('observable', 'weak', 'not_observable')),
    reason       text not null,
    smallest_30d float8,                             -- smallest gain error that 30 days would show; 0.02 is 2 %
    smallest_90d float8,
    detail       jsonb not null default '{}',
    as_of        timestamptz not null,
    primary key (point_id, question)
);
create index on observability (unit_id, question);

create view observability_list as
select u.code as unit_code, u.name as unit_name, p.code as point, p.carrier, q.code as parent_point, o.question,
       o.verdict, o.reason, o.smallest_30d, o.smallest_90d, o.detail, o.as_of, o.point_id, o.unit_id
from observability o
left join unit u on u.id = o.unit_id
left join metering_point p on p.id = o.point_id
left join metering_point q on q.id = p.parent_id;

-- What somebody found on site. Append only: a correction is a newer row of the same detection, and the newest counts.
-- With only a detection given, the rest is filled in from it.
create table meter_verdict (
    id           int8 generated always as identity primary key,
    detection_id int8 references detection,          -- null where somebody looked without being called
    unit_id      int4 not null references unit,
    point_id     int4 not null references metering_point,
    meter_id     int4 references meter,
    kind         text,                               -- of the detection; null speaks of the meter as a whole
    verdict      text not null check (verdict in ('faulty', 'sound', 'load_changed', 'data_path')),
    found_on     date not null default coalesce(local_day(now()), current_date),
    found_by     text not null default '',
    note         text not null default '',
    stored_at    timestamptz not null default clock_timestamp()
);
create index on meter_verdict (point_id, kind);
create index on meter_verdict (detection_id);

create function meter_verdict_fill() returns trigger
    language plpgsql
as $$
begin
    if new.detection_id is not null then
        select coalesce(new.unit_id, d.unit_id), coalesce(new.point_id, d.point_id), coalesce(new.meter_id, d.meter_id),
               coalesce(new.kind, d.kind)
        into new.unit_id, new.point_id, new.meter_id, new.kind
        from detection d where d.id = new.detection_id;
    elsif new.unit_id is null then
        select p.unit_id into new.unit_id from metering_point p where p.id = new.point_id;
    end if;
    return new;
end
$$;
create trigger meter_verdict_fill before insert on meter_verdict
    for each row execute function meter_verdict_fill();

create view meter_verdict_list as
select u.code as unit_code, u.name as unit_name, p.code as point, m.meter_no, v.kind, v.verdict, v.found_on,
       v.found_by, v.note, v.stored_at, d.started_at, d.state, v.id, v.detection_id, v.point_id, v.meter_id, v.unit_id
from meter_verdict v
left join detection d on d.id = v.detection_id
left join unit u on u.id = v.unit_id
left join metering_point p on p.id = v.point_id
left join meter m on m.id = v.meter_id;

-- What counts of them: for each point and kind the newest verdict of each detection.
create view meter_verdict_standing as
select distinct on (point_id, coalesce(detection_id, -id)) point_id, unit_id, kind, verdict, detection_id, id
from meter_verdict
order by point_id, coalesce(detection_id, -id), id desc;

-- Where the balance engine stands with a parent and its children: hours before `next_hour` are in `state`.
create table balance_state (
    point_id       int4 primary key references metering_point,                 -- the parent
    unit_id        int4 not null references unit,
    engine         int4 not null,                    -- format of `state`
    ledger_version int4 not null references ledger_version,
    next_hour      timestamptz not null,
    state          bytea not null,
    updated_at     timestamptz not null default clock_timestamp()
);
alter table balance_state alter column state set storage external;
create index on balance_state (unit_id);

create table balance_hour (
    start           timestamptz not null,            -- UTC hour, half open
    parent_amount   float8 not null,                 -- in the parent's canonical unit, as the others
    children_amount float8 not null,
    loss_estimate   float8,
    residual        float8,                          -- parent - children - losses
    point_id        int4 not null,                   -- the parent
    unit_id         int4 not null,
    primary key (point_id, start)
);
create index on balance_hour (unit_id, start);

create table balance_day (
    day             date not null,                   -- local
    parent_amount   float8 not null,
    children_amount float8 not null,
    loss_estimate   float8,
    residual        float8,
    hours           int4 not null,                   -- with every meter of the balance present
    point_id        int4 not null,
    unit_id         int4 not null,
    primary key (point_id, day)
);
create index on balance_day (unit_id, day);

create view balance_list as
select u.code as unit_code, u.name as unit_name, p.code as point, p.carrier, b.start, b.parent_amount,
       b.children_amount, b.loss_estimate, b.residual, s.symbol as unit, b.point_id, b.unit_id
from balance_hour b
left join unit u on u.id = b.unit_id
left join metering_point p on p.id = b.point_id
left join measure_unit s on s.code = p.amount_unit;
