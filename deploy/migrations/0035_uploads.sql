-- A file that somebody uploaded on a page, kept as it came until it is loaded, refused or a month old. An enterprise
-- submits its ledger; the staff looks at the difference and loads it.
create table sign_in.upload (
    id           int8 generated always as identity primary key,
    kind         text not null check (kind in ('ledger', 'readings')),
    person_id    int4 not null references person,
    unit_id      int4 references unit,                 -- whose; null: of several, by the staff
    name         text not null,
    content      bytea not null,
    options      jsonb not null default '{}',          -- how it is to be read where it does not say so itself
    sound        boolean not null,                     -- whether it had no faults when it came
    uploaded_at  timestamptz not null default now(),
    submitted_at timestamptz,
    decided_at   timestamptz,
    decided_by   int4 references person,
    decision     text check (decision in ('loaded', 'refused')),
    note         text not null default ''
);
create index on sign_in.upload (person_id);
create index on sign_in.upload (submitted_at) where decided_at is null;
grant select, insert, update, delete on sign_in.upload to meterwarden_api;
grant usage on all sequences in schema sign_in to meterwarden_api;
