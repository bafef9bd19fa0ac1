-- Certificates of verification and calibration as they were issued: by whom, with what result, with the scan. What one
-- says about how long a meter may be used stands in `verification` beside what the ledger says, so that boards, alerts
-- and judgements need not know where it came from.

create table certificate (
    id               int8 generated always as identity primary key,
    unit_id          int4 not null references unit,
    meter_no         text not null check (meter_no <> ''),   -- management number, of the ledger or of form B.7
    kind             text not null check (kind in ('verification', 'calibration')),
    number           text not null check (number <> ''),
    body             text not null check (body <> ''),       -- who issued it
    verified_on      date not null,
    conclusion       text not null check (conclusion in ('qualified', 'limited', 'failed')),
    due              date check (due >= verified_on),        -- last day; null where it states none, and where it failed
    accuracy_class   text not null default '',               -- as it is certified
    note             text not null default '',
    entered_by       text not null check (entered_by <> ''),
    entered_at       timestamptz not null default clock_timestamp(),
    withdrawn_by     text,
    withdrawn_at     timestamptz,                            -- entered by mistake; the row stays
    withdrawn_reason text check (withdrawn_reason <> ''),
    check ((withdrawn_at is null) = (withdrawn_by is null) and (withdrawn_at is null) = (withdrawn_reason is null))
);
create unique index on certificate (unit_id, meter_no, number, verified_on) where withdrawn_at is null;
create index on certificate (unit_id, meter_no, verified_on);

create table certificate_scan (
    certificate_id int8 primary key references certificate,
    unit_id        int4 not null,
    name           text not null,
    media_type     text not null check (media_type in ('image/jpeg', 'image/png', 'application/pdf')),
    sha256         bytea not null check (length(sha256) = 32),
    content        bytea not null,
    entered_by     text not null,
    entered_at     timestamptz not null default clock_timestamp()
);
alter table certificate_scan alter column content set storage external;   -- compressed already
create index on certificate_scan (unit_id);
create trigger history_stands before update or delete on certificate_scan for each row execute function history_stands();

alter table verification
    add column certificate_id int8 references certificate,   -- null where the ledger says it
    add column failed boolean not null default false;        -- ends what was certified before
create index on verification (certificate_id) where certificate_id is not null;
create index on verification (meter_id, verified_on) where failed;

insert into board.service_right (service, relation, rights) values
    ('meterwarden_worker', 'certificate', 'select'), ('meterwarden_worker', 'certificate_scan', ''),
    ('meterwarden_api', 'certificate', 'select, insert, update'), ('meterwarden_api', 'certificate_scan', 'select, insert');

-- As they were; and what was certified before a meter failed holds no longer.
create or replace view verification_state as
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
        and not exists (select from verification f where f.meter_id = c.meter_id and f.failed
                            and f.verified_on <= t.today and f.verified_on > coalesce(c.verified_on, '-infinity'))
    order by c.verification_due desc nulls last, c.verified_on desc nulls last
    limit 1
) v on true
where i.installed_from <= now() and i.installed_to > now();

create or replace view verification_count as
select d.unit_id,
       case when d.due is null then 'unknown'
            when d.due < t.today then 'overdue'
            when d.due < t.today + 30 then 'due_30'
            when d.due < t.today + 90 then 'due_90'
            else 'valid' end as state,
       sum(d.meters)::int8 as meters
from (
    select i.unit_id, v.due, count(*) as meters
    from installation i
    left join (
        select c.meter_id, max(c.verification_due) as due
        from verification c
        left join (
            select f.meter_id, max(f.verified_on) as on_day from verification f
            where f.failed and f.verified_on <= (select local_day(now())) group by f.meter_id
        ) f on f.meter_id = c.meter_id
        where (c.verified_on is null or c.verified_on <= (select local_day(now())))   -- once, not for each row
            and (f.on_day is null or c.verified_on >= f.on_day)
        group by c.meter_id
    ) v on v.meter_id = i.meter_id
    where i.installed_from <= now() and i.installed_to > now()
    group by i.unit_id, v.due
) d
cross join (select local_day(now()) as today offset 0) t   -- offset: worked out once, not in each row
group by 1, 2;

-- What an enterprise and the authority look up: each certificate, the newest first by meter (`cycle` 1), and its scan.
create view certificate_list as
select c.id, u.code as unit_code, u.name as unit_name, c.meter_no, c.kind, c.number, c.body, c.verified_on, c.conclusion,
       c.due, c.accuracy_class, c.note, c.entered_by, c.entered_at, s.name as scan, s.media_type as scan_type,
       row_number() over (partition by c.unit_id, c.meter_no order by c.verified_on desc, c.id desc)::int4 as cycle,
       c.unit_id
from certificate c
join unit u on u.id = c.unit_id
left join certificate_scan s on s.certificate_id = c.id
where c.withdrawn_at is null;

grant select on certificate to meterwarden_lens;
grant select (certificate_id, unit_id, name, media_type) on certificate_scan to meterwarden_lens;
insert into board.view (view, shared, hidden) values ('certificate_list', true, '{entered_by}');
call board.views();
call board.services();
