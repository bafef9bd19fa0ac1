-- Files of readings that were sent, so that sending one again is noticed; and who loaded a ledger, and why.
create table reading_file (
    id       int8 generated always as identity primary key,
    sha256   bytea not null check (length(sha256) = 32),
    name     text not null,
    readings int8 not null,
    bad      int8 not null,
    sent_by  text not null,
    sent_at  timestamptz not null default now()
);
create index on reading_file (sha256);
comment on table reading_file is 'Files of readings that were sent whole: a file that comes again is told by its content';

alter table ledger_version add column loaded_by text not null default '';
alter table ledger_version add column restored int4;
alter table ledger_version add column changes jsonb not null default '[]';
comment on column ledger_version.loaded_by is 'Who loaded it: the account of the system, or the login of the person';
comment on column ledger_version.restored is 'The version that it goes back to; null for a file';
comment on column ledger_version.changes is 'What it changed of what was in force: unit, point, meter, fact, before, after, since';
