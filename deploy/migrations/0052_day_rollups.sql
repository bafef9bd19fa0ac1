-- Sums of days that pages ask for again and again: of a point by month, of a unit's points by day. A year of a unit of 500
-- points was 182,500 days through both walls for its flow and as many for its completeness; now it is 6,000 months, the
-- days of the months that are not whole, and 365 rows.
--
-- Each change of `consumption_day` changes them by the difference, in the same statement and whoever makes it, so that late
-- readings and corrections are in them when they are in the days. The sums are exact (decimal), so nothing drifts.

create table consumption_month (
    month    date not null,                          -- its first day
    amount   numeric not null,                       -- exact sum of the days' amounts
    point_id int4 not null,
    unit_id  int4 not null,
    days     int4 not null,                          -- that have a row
    primary key (unit_id, month, point_id)
) with (fillfactor = 70);
comment on table consumption_month is 'Consumption of metering points by month: the sum of their days, kept with them';

create table point_data_day (
    day          date not null,
    unit_id      int4 not null,
    points       int4 not null,                      -- that have a row on this day
    completeness numeric not null,                   -- exact sums over them
    measured     numeric not null,
    primary key (unit_id, day)
) with (fillfactor = 70);
comment on table point_data_day is 'How many points of a unit have data on a day, and how complete it is in all: the sums of their days';

create function consumption_day_summed() returns trigger
    language plpgsql
    set search_path = public
as $$
declare
    sign constant int4 := case tg_op when 'DELETE' then -1 else 1 end;
begin
    -- in the order of the key, so that two writers never wait for each other
    if tg_op = 'TRUNCATE' then
        delete from consumption_month;                -- one of these, too, may be among the tables that are emptied
        delete from point_data_day;
    elsif tg_op = 'UPDATE' then
        insert into consumption_month as m (unit_id, month, point_id, amount, days)
        select unit_id, date_trunc('month', day)::date, point_id, sum(amount), sum(rows)
        from (select unit_id, day, point_id, amount::numeric as amount, 1 as rows from changed
              union all select unit_id, day, point_id, -amount::numeric, -1 from before) c
        group by 1, 2, 3 having sum(amount) <> 0 or sum(rows) <> 0 order by 1, 2, 3
        on conflict (unit_id, month, point_id) do update
            set amount = m.amount + excluded.amount, days = m.days + excluded.days;
        insert into point_data_day as d (unit_id, day, points, completeness, measured)
        select unit_id, day, sum(rows), sum(completeness), sum(measured)
        from (select unit_id, day, 1 as rows, completeness::float8::numeric as completeness, measured::float8::numeric as measured
              from changed
              union all select unit_id, day, -1, -completeness::float8::numeric, -measured::float8::numeric from before) c
        group by 1, 2 having sum(rows) <> 0 or sum(completeness) <> 0 or sum(measured) <> 0 order by 1, 2
        on conflict (unit_id, day) do update
            set points = d.points + excluded.points, completeness = d.completeness + excluded.completeness,
                measured = d.measured + excluded.measured;
    else
        insert into consumption_month as m (unit_id, month, point_id, amount, days)
        select unit_id, date_trunc('month', day)::date, point_id, sign * sum(amount::numeric), sign * count(*)
        from changed group by 1, 2, 3 order by 1, 2, 3
        on conflict (unit_id, month, point_id) do update
            set amount = m.amount + excluded.amount, days = m.days + excluded.days;
        insert into point_data_day as d (unit_id, day, points, completeness, measured)
        select unit_id, day, sign * count(*), sign * sum(completeness::float8::numeric), sign * sum(measured::float8::numeric)
        from changed group by 1, 2 order by 1, 2
        on conflict (unit_id, day) do update
            set points = d.points + excluded.points, completeness = d.completeness + excluded.completeness,
                measured = d.measured + excluded.measured;
    end if;
    return null;
end
$$;
-- Before what is there is summed: nobody writes days between the two.
create trigger consumption_day_inserted after insert on consumption_day
    referencing new table as changed for each statement execute function consumption_day_summed();
create trigger consumption_day_updated after update on consumption_day
    referencing old table as before new table as changed for each statement execute function consumption_day_summed();
create trigger consumption_day_deleted after delete on consumption_day
    referencing old table as changed for each statement execute function consumption_day_summed();
create trigger consumption_day_emptied after truncate on consumption_day
    for each statement execute function consumption_day_summed();
insert into consumption_month (unit_id, month, point_id, amount, days)
select unit_id, date_trunc('month', day)::date, point_id, sum(amount::numeric), count(*) from consumption_day group by 1, 2, 3
order by 1, 2, 3;
insert into point_data_day (unit_id, day, points, completeness, measured)
select unit_id, day, count(*), sum(completeness::float8::numeric), sum(measured::float8::numeric)
from consumption_day group by 1, 2 order by 1, 2;

-- What has no day left is not shown: the difference leaves a row of nothing behind.
create view point_month as
select u.code as unit_code, p.code as point, p.carrier, p.direction, m.month, m.amount::float8 as amount, a.symbol as unit,
       m.days, m.point_id, m.unit_id
from consumption_month m
left join unit u on u.id = m.unit_id
left join metering_point p on p.id = m.point_id
left join measure_unit a on a.code = p.amount_unit
where m.days > 0;

create view unit_data_day as
select u.code as unit_code, d.day, d.points as points_with_data, d.completeness::float8 as completeness,
       d.measured::float8 as measured, d.unit_id
from point_data_day d
left join unit u on u.id = d.unit_id
where d.points > 0;

-- As it was, from the sums.
create or replace view unit_completeness as
select u.code as unit_code, u.name as unit_name, c.day, e.points as points_expected, c.points as points_with_data,
       c.completeness / nullif(e.points, 0) as completeness, c.measured / nullif(e.points, 0) as measured,
       u.id as unit_id
from unit u
cross join lateral (
    select d.day, d.points::int8 as points, d.completeness::float8 as completeness, d.measured::float8 as measured
    from point_data_day d where d.unit_id = u.id and d.points > 0
) c
cross join lateral (
    select count(distinct i.point_id) as points
    from metering_point p join installation i on i.point_id = p.id
    where p.unit_id = u.id
        and i.installed_from < (c.day + 1)::timestamp at time zone (select local_zone())
        and i.installed_to > c.day::timestamp at time zone (select local_zone())
) e;

-- As it was, but today is looked up once and not twice for each meter.
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
cross join (select local_day(now()) as today offset 0) t
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

-- A unit's meters were found among everybody's installations.
create index on installation (unit_id);

grant select on consumption_month, point_data_day to meterwarden_lens;
-- No column is open: some thousand rows of one's own are compared above both walls as fast.
insert into board.view (view, shared) values ('point_month', true), ('unit_data_day', true);
insert into board.service_right (service, relation, rights) values
    ('meterwarden_api', 'consumption_month', 'select'),
    ('meterwarden_api', 'point_data_day', 'select')
on conflict (service, relation) do update set rights = excluded.rights;
call board.views();
call board.services();
