-- What a meter's label and class were before a newer ledger changed them, so that a past day is judged by what was true
-- on it. Written by streams.store.ledger alone: a row holds until its instant, the installation itself from the last
-- one on; the first ledger that names an installation writes none.
create table installation_past (
    installation_id int4 not null references installation on delete cascade,   -- a correction may withdraw it
    unit_id         int4 not null,
    held_until      timestamptz not null,            -- not included
    status          text not null,
    accuracy_class  text not null,
    version         int4 not null references ledger_version,   -- the load that ended it
    primary key (installation_id, held_until)
);
create index on installation_past (unit_id, held_until);

create view installation_past_list as
select u.code as unit_code, p.code as point, m.meter_no, i.installed_from, h.held_until, h.status, h.accuracy_class,
       h.version, h.installation_id, i.point_id, i.meter_id, h.unit_id
from installation_past h
join installation i on i.id = h.installation_id
join unit u on u.id = h.unit_id
join metering_point p on p.id = i.point_id
join meter m on m.id = i.meter_id;

grant select on installation_past to meterwarden_lens;
-- Days whose amounts were measured by a meter that should not have been in use: past its verification on that day, or
-- out of use by its label. They count as all others; who judges by them should know (JJF 1356 6.4.5).
create view point_day_flagged as
select u.code as unit_code, u.name as unit_name, p.code as point, p.level, p.carrier, m.meter_no, d.day, d.amount,
       a.symbol as unit, case when c.due < d.day then 'overdue' else 'out_of_use' end as flag, c.due as verification_due,
       d.point_id, i.meter_id, d.unit_id
from consumption_day d
join installation i on i.point_id = d.point_id
    and i.installed_from < (d.day + 1)::timestamp at time zone (select local_zone())
    and i.installed_to > d.day::timestamp at time zone (select local_zone())
join unit u on u.id = d.unit_id
join metering_point p on p.id = d.point_id
join meter m on m.id = i.meter_id
left join measure_unit a on a.code = p.amount_unit
left join lateral (
    select max(v.verification_due) as due from verification v
    where v.meter_id = i.meter_id and (v.verified_on is null or v.verified_on <= d.day)
) c on true
left join lateral (
    select h.status from installation_past h
    where h.installation_id = i.id and h.held_until >= (d.day + 1)::timestamp at time zone (select local_zone())
    order by h.held_until limit 1
) h on true
where c.due < d.day or coalesce(h.status, i.status) = 'out_of_use';

-- A standard of water metering (GB 24789) is a document as well.
alter table standard_document drop constraint standard_document_kind_check;
alter table standard_document add constraint standard_document_kind_check
    check (kind in ('edition', 'rules', 'factors', 'water', 'facts'));

insert into board.view (view, shared) values ('installation_past_list', true), ('point_day_flagged', true);
call board.views();
