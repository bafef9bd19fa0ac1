-- What people do on pages: reviews are kept by them as by the commands, and a point has notes.

update board.service_right set rights = 'select, insert, update'
where service = 'meterwarden_api' and relation in ('review', 'review_item');
update board.service_right set rights = 'select, insert'
where service = 'meterwarden_api' and relation in ('review_photo', 'review_event');

create table point_note (
    id        int8 generated always as identity primary key,
    unit_id   int4 not null references unit,
    point_id  int4 not null references metering_point,
    at        timestamptz not null default clock_timestamp(),
    by_name   text not null,
    by_role   text not null,
    note      text not null check (note <> ''),
    internal  boolean not null default true          -- for the authority alone
);
create index on point_note (point_id, id);
create index on point_note (unit_id);
create trigger history_stands before update or delete on point_note for each row execute function history_stands();
comment on table point_note is 'Notes of people at a metering point';

call board.rows();
insert into board.service_right (service, relation, rights) values
    ('meterwarden_worker', 'point_note', ''), ('meterwarden_api', 'point_note', 'select, insert');
call board.services();
