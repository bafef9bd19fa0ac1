-- Instruments that are verified by law, as they were judged last: which ones these are is said by rules and facts, not by SQL.
create table mandatory_instrument (
    meter_id int4 primary key references meter on delete cascade,
    unit_id  int4 not null references unit,
    point_id int4 not null references metering_point on delete cascade,
    carrier  text not null,
    valid    boolean not null,                       -- within its verification on the day judged
    basis_zh text not null,
    basis_en text not null,
    as_of    date not null
);
create index on mandatory_instrument (unit_id);
insert into board.service_right (service, relation, rights) values ('meterwarden_api', 'mandatory_instrument', 'select');

-- How far verification by law is, by energy and by the body that verified last ('' where no certificate was entered).
create view mandatory_coverage as
select u.code as unit_code, u.name as unit_name, m.carrier, coalesce(c.body, '') as body, count(*)::int4 as instruments,
       count(*) filter (where m.valid)::int4 as valid,
       100.0 * count(*) filter (where m.valid) / count(*) as rate,
       max(m.as_of) as as_of, m.unit_id
from mandatory_instrument m
join unit u on u.id = m.unit_id
join meter k on k.id = m.meter_id
left join lateral (
    select c.body from certificate c
    where c.unit_id = m.unit_id and c.meter_no = k.meter_no and c.withdrawn_at is null
    order by c.verified_on desc, c.id desc limit 1
) c on true
group by u.code, u.name, m.carrier, coalesce(c.body, ''), m.unit_id;

create view mandatory_list as
select u.code as unit_code, u.name as unit_name, p.code as point, k.meter_no, m.carrier, m.valid, m.basis_zh, m.basis_en,
       m.as_of, m.point_id, m.meter_id, m.unit_id
from mandatory_instrument m
join unit u on u.id = m.unit_id
join metering_point p on p.id = m.point_id
join meter k on k.id = m.meter_id;

grant select on mandatory_instrument to meterwarden_lens;
insert into board.view (view, shared) values ('mandatory_coverage', true), ('mandatory_list', true);
call board.views();
call board.services();

-- The most that a point takes in an hour, which table 2 asks about; in the unit of its limit, per hour.
alter table metering_point add column hourly_use float8;
