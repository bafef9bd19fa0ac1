-- Points that somebody asked to be worked out again from an instant on: a version of the ledger that says nothing new,
-- which workers take over like any other, and what they find here belongs to it.
create table rework (
    version  int4 not null references ledger_version,
    unit_id  int4 not null references unit,
    point_id int4 not null references metering_point,
    since    timestamptz not null,
    primary key (version, point_id)
);
create index on rework (unit_id);
comment on table rework is 'Points to be worked out again from an instant on, asked for by a person with a version of the ledger';

call board.rows();
insert into board.service_right (service, relation, rights)
values ('meterwarden_worker', 'rework', 'select'), ('meterwarden_api', 'rework', 'select');
call board.services();
