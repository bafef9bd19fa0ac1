-- What the standards require, what is there, and since when it is so. Judged by analytics.standards, written by
-- streams.store.compliance alone; `unit_id` stands in each row for row security.

-- Editions, rules, factors and facts that were loaded, as they came; the latest of a kind and name is in force.
create table standard_document (
    id        int4 generated always as identity primary key,
    kind      text not null check (kind in ('edition', 'rules', 'factors', 'facts')),
    name      text not null,                         -- an edition's number, else what the file calls itself
    source    text not null,                         -- file name
    content   text not null,                         -- TOML, checked before it came here
    sha256    bytea not null check (length(sha256) = 32),
    loaded_at timestamptz not null default now()
);
create index on standard_document (kind, name, id);

-- What is found about one thing (a unit's clause at a level and carrier, or one of its points) while it says the same:
-- another verdict or severity closes the row and opens the next one.
create table finding (
    id           int8 generated always as identity primary key,
    unit_id      int4 not null references unit,
    edition      text not null,                      -- and for which edition it stands in
    clause       text not null,
    rule         text not null,                      -- which question: rate, accuracy, verification, ...
    mandatory    boolean not null,                   -- the clause is a mandatory one
    level        text not null default '',           -- unit, sub_unit, equipment; '' where it is no matter of level
    carrier      text not null default '',
    point_id     int4 references metering_point,
    meter_id     int4 references meter,
    verdict      text not null check (verdict in ('pass', 'fail', 'person', 'not_applicable')),
    severity     text not null check (severity in ('info', 'warning', 'serious')),
    required     text not null,
    found        text not null,
    required_zh  text not null,
    found_zh     text not null,
    meters       text[] not null default '{}',       -- management numbers
    points       text[] not null default '{}',
    next_step_zh text not null default '',
    next_step_en text not null default '',
    evidence     jsonb not null default '{}',
    as_of        date not null,                      -- the latest day it was judged for
    opened_at    timestamptz not null default clock_timestamp(),
    closed_at    timestamptz
);
create unique index on finding (unit_id, rule, clause, level, carrier, coalesce(point_id, 0), coalesce(meter_id, 0))
    where closed_at is null;
create index on finding (unit_id, opened_at);
create index on finding (opened_at);

create table compliance_day (
    unit_id           int4 not null references unit,
    day               date not null,                 -- local
    edition           text not null,
    state             text not null check (state in ('compliant', 'findings', 'serious', 'unknown')),
    grade             text not null,                 -- A, B, C by the rules in force; '' where they cannot say
    findings          int4 not null,                 -- that fail
    serious           int4 not null,
    warnings          int4 not null,
    person            int4 not null,                 -- that a person must decide
    points_needed     int4 not null,                 -- Nl of all levels and carriers
    points_present    int4 not null,
    meters            int4 not null,                 -- installed on that day
    meters_valid      int4 not null,                 -- within their verification
    meters_overdue    int4 not null,
    meters_unknown    int4 not null,                 -- nothing known of their verification
    verification_rate float8,                        -- of mandatory instruments; null where there is none
    completeness      float8,                        -- of the points that should give evidence, over the judged window
    tce               float8,                        -- of the day, equivalent value; null where not all of it is known
    tce_year          float8,                        -- of the 365 days that end with the day
    tce_year_days     int4 not null default 0,       -- of them with evidence
    key_unit          text not null default '',      -- by tce_year: over_10000, over_5000, below, unknown
    judged_at         timestamptz not null default clock_timestamp(),
    primary key (unit_id, day)
);
create index on compliance_day (day);

create table equipping_rate (
    unit_id  int4 not null references unit,
    day      date not null,
    carrier  text not null,
    level    text not null,
    needed   int4 not null,                          -- Nl
    present  int4 not null,                          -- Ns: installed, in use, within verification
    unknown  int4 not null default 0,                -- installed, and nothing says whether verification holds
    rate     float8,                                 -- [%], null where nothing is needed
    required float8,                                 -- [%], null where the edition has no row
    verdict  text not null check (verdict in ('pass', 'fail', 'person', 'not_applicable')),
    edition  text not null,
    missing  text[] not null default '{}',           -- points that lack a usable meter
    primary key (unit_id, day, carrier, level)
);

-- What a unit's findings were judged from, so that it is judged again when any of it changes.
create table compliance_mark (
    unit_id     int4 primary key references unit,
    fingerprint text not null,
    judged_at   timestamptz not null default clock_timestamp()
);

create index on detection (unit_id, stored_at) where kind in ('silence', 'gap', 'stuck');   -- what changes a mark

create view finding_list as
select f.id, f.unit_id, u.code as unit_code, u.name as unit_name, f.edition, f.clause, f.level, f.carrier, f.point_id,
       p.code as point, f.meter_id, m.meter_no, f.required, f.found, f.verdict, f.severity, f.meters, f.next_step_zh,
       f.next_step_en, f.as_of, f.opened_at, f.closed_at, f.rule, f.mandatory, f.required_zh, f.found_zh, f.points,
       f.evidence
from finding f
join unit u on u.id = f.unit_id
left join metering_point p on p.id = f.point_id
left join meter m on m.id = f.meter_id;

-- Meters that stand somewhere now, and how their verification is on the local day of today. A certificate holds through
-- its last day; of several the one that holds longest counts.
create view verification_state as
select u.id as unit_id, u.code as unit_code, i.point_id, p.code as point, i.meter_id, m.meter_no, i.instrument,
       v.verified_on, v.verification_due,
       case when v.verification_due is null then 'unknown'
            when v.verification_due < t.today then 'overdue'
            when v.verification_due < t.today + 30 then 'due_30'
            when v.verification_due < t.today + 90 then 'due_90'
            else 'valid' end as state,
       v.verification_due - t.today as days_left, u.name as unit_name, p.level, p.carrier, i.purpose, i.accuracy_class,
       i.status, v.cycle_months, i.place, i.name, i.model
from installation i
cross join (select local_day(now()) as today) t
join unit u on u.id = i.unit_id
join metering_point p on p.id = i.point_id
join meter m on m.id = i.meter_id
left join lateral (
    select c.verified_on, c.cycle_months, c.verification_due from verification c
    where c.meter_id = i.meter_id and (c.verified_on is null or c.verified_on <= t.today)
    order by c.verification_due desc nulls last, c.verified_on desc nulls last
    limit 1
) v on true
where i.installed_from <= now() and i.installed_to > now();

create view compliance_list as
select u.code as unit_code, u.name as unit_name, d.*
from compliance_day d join unit u on u.id = d.unit_id;

create view equipping_rate_list as
select u.code as unit_code, u.name as unit_name, r.*
from equipping_rate r join unit u on u.id = r.unit_id;

-- A region's day in one row.
create view compliance_region as
select day, count(*) as units, count(*) filter (where state = 'compliant') as compliant,
       count(*) filter (where state = 'findings') as with_findings, count(*) filter (where state = 'serious') as serious,
       count(*) filter (where state = 'unknown') as unknown, count(*) filter (where grade = 'A') as grade_a,
       count(*) filter (where grade = 'B') as grade_b, count(*) filter (where grade = 'C') as grade_c,
       sum(findings) as findings, sum(points_needed) as points_needed, sum(points_present) as points_present,
       sum(meters) as meters, sum(meters_valid) as meters_valid, sum(meters_overdue) as meters_overdue,
       sum(tce) as tce, string_agg(distinct edition, '; ') as edition
from compliance_day group by day;
