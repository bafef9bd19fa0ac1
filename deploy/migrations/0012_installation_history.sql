-- What a meter's label and class were before a newer ledger changed them, so that a past day is judged by what was true
-- on it. Written by streams.store.ledger alone: a row holds until its instant, the installation itself from the last
-- one on; the first ledger that names an installation writes none.
create table installation_past (
    installation_id int4 not null references installation,
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
-- A standard of water metering (GB 24789) is a document as well.
alter table standard_document drop constraint standard_document_kind_check;
alter table standard_document add constraint standard_document_kind_check
    check (kind in ('edition', 'rules', 'factors', 'water', 'facts'));

insert into board.view (view, shared) values ('installation_past_list', true);
call board.views();
